#!/bin/bash -eu
# Builds every harness with the compiler, flags and engine that ClusterFuzzLite
# gives (CC, CFLAGS, LIB_FUZZING_ENGINE, OUT), with seeds and dictionaries.
make -f fuzz/Makefile FLAVOUR=given BUILD="$WORK/build" -j"$(nproc)" \
    CC_given="$CC" FLAGS_given="$CFLAGS" LINK_given="$LIB_FUZZING_ENGINE"
for harness in fuzz/*.c; do
	target=${harness#fuzz/}
	target=${target%.c}
	cp "$WORK/build/fuzz/given/$target" "$OUT/"
	inputs=()
	while read -r folder; do
		inputs+=("$folder"/*)
	done < <(fuzz/inputs "$target" "$WORK/build")
	zip -q -j "$OUT/${target}_seed_corpus.zip" "${inputs[@]}"
	[[ ! -e fuzz/dict/$target.dict ]] ||
	    cp "fuzz/dict/$target.dict" "$OUT/"
done
