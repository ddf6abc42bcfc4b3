# bash completion for tcpmux(1): options, hosts, and the services of a host.
# The services are asked for over the network, for two seconds at the most,
# and only if TCPMUX_COMPLETE_SERVICES is set, since it tells the host.

_tcpmux()
{
	local word=${COMP_WORDS[COMP_CWORD]}
	local -a flags=() positional=()
	local at

	COMPREPLY=()
	for ((at = 1; at < COMP_CWORD; at++)); do
		if ((${#positional[@]} > 0)); then
			positional+=("${COMP_WORDS[at]}")
			continue
		fi
		case ${COMP_WORDS[at]} in
		-*[pw])
			# Its value is the next word.
			((at + 1 == COMP_CWORD)) && return
			if [[ ${COMP_WORDS[at]} == -*p ]]; then
				flags+=(-p "${COMP_WORDS[at + 1]}")
			fi
			((at++))
			;;
		-4 | -6)
			flags+=("${COMP_WORDS[at]}")
			;;
		-*) ;;
		*)
			positional+=("${COMP_WORDS[at]}")
			;;
		esac
	done
	case ${#positional[@]} in
	0)
		if [[ $word == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W \
			    '-4 -6 -l -p -v -V -w' -- "$word")
		else
			mapfile -t COMPREPLY < <(compgen -A hostname -- "$word")
		fi
		;;
	1)
		[[ -n ${TCPMUX_COMPLETE_SERVICES-} ]] || return
		local name safe='A-Za-z0-9._/+@:,%-'
		# Names are a stranger's words: none that a shell would read.
		while IFS= read -r name; do
			if [[ $name == "$word"* && $name != *[!$safe]* ]]; then
				COMPREPLY+=("$name")
			fi
		done < <(tcpmux -l -w 2 "${flags[@]}" -- \
		    "${positional[0]}" 2>/dev/null </dev/null)
		;;
	esac
} &&
	complete -F _tcpmux tcpmux
