# bash completion for tcpmuxd(8): options, policies, and the keys of -C.

_tcpmuxd()
{
	local word=${COMP_WORDS[COMP_CWORD]}
	local before=${COMP_WORDS[COMP_CWORD - 1]}

	COMPREPLY=()
	case $before in
	-*[af])
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		compopt -o filenames
		;;
	-*C)
		mapfile -t COMPREPLY < <(compgen -W \
		    'service= addr= listener= time=' -- "$word")
		compopt -o nospace
		;;
	*)
		mapfile -t COMPREPLY < <(compgen -W \
		    '-a -C -d -f -s -t -T -v -V' -- "$word")
		;;
	esac
} &&
	complete -F _tcpmuxd tcpmuxd
