//! What `clap_complete` does not know of: verdicts separated by commas, `--option=value` in bash,
//! a value that only follows "=", names of interfaces and, in bash and fish, of hosts.

use std::fmt::Write;

use crate::entries::Entry;

/// Stands for the names of interfaces in what is generated, until each shell's way to list them
/// replaces it.
pub const INTERFACES: &str = "@interfaces";

/// Where bash learns what is completed. "=" separates words, and is one.
const BASH_BEGIN: &str = "    prev=\"$3\"\n";
const BASH_EQUALS: &str = "    prev=\"$3\"
    local equals=\"\"
    if [[ ${prev} == \"=\" ]]; then
        prev=\"${COMP_WORDS[COMP_CWORD-2]}\" equals=\"=\"
    elif [[ ${cur} == \"=\" ]]; then
        cur=\"\" equals=\"=\"
    fi
";

/// After bash's `--trace` there is a value only behind "=". The next word is the target.
const BASH_CASE: &str = "            case \"${prev}\" in\n";
const BASH_TRACE: &str = "            [[ ${prev}${equals} != \"--trace\" ]] || prev=\"\"
            case \"${prev}\" in
";

/// When bash completes options: of a client, the first word may be a host as well.
const BASH_FIRST: &str = "[[ ${cur} == -* || ${COMP_CWORD} -eq 1 ]]";
const BASH_DASH: &str = "[[ ${cur} == -* ]]";

/// The end of bash's function: what is no option, and no option's value.
const BASH_REST: &str = "                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W \"${opts}\" -- \"${cur}\") )
";
const BASH_HOST: &str = "                *)
                    ;;
            esac
            COMPREPLY=( $(compgen -A hostname -- \"${cur}\") )
";

pub fn of_bash(script: &str, verdicts: &[Entry]) -> Result<String, String> {
    let script = replaced(script, BASH_BEGIN, BASH_EQUALS)?;
    if verdicts.is_empty() {
        return Ok(script);
    }
    let words = verdicts.iter().map(|entry| entry.term).collect::<Vec<_>>().join(" ");
    let one = format!("COMPREPLY=($(compgen -W \"{words}\" -- \"${{cur}}\"))");
    let several = format!(
        "COMPREPLY=($(compgen -P \"${{cur%\"${{cur##*,}}\"}}\" -W \"{words}\" -- \"${{cur##*,}}\"))"
    );
    let script = replaced(&script, &one, &several)?;
    let script = replaced(&script, INTERFACES, "$(ls /sys/class/net 2>/dev/null)")?;
    let script = replaced(&script, BASH_FIRST, BASH_DASH)?;
    let script = replaced(&script, BASH_CASE, BASH_TRACE)?;
    replaced(&script, BASH_REST, BASH_HOST)
}

pub fn of_zsh(script: &str, verdicts: &[Entry]) -> Result<String, String> {
    if verdicts.is_empty() {
        return Ok(script.to_owned());
    }
    let (before, rest) = around(script, ":VERDICT:((")?;
    let (_, after) = around(rest, "))' \\\n")?;
    let mut values = String::new();
    for Entry { term, meaning } in verdicts {
        let _ = write!(values, " \"{term}[{}]\"", meaning.replace(':', "\\:"));
    }
    let script = format!("{before}:VERDICT:{{_values -s , verdict{values}}}' \\\n{after}");
    let script = replaced(&script, &format!("({INTERFACES})"), "_net_interfaces")?;
    replaced(&script, "'--trace=[", "'--trace=-[")
}

pub fn of_fish(script: &str, verdicts: &[Entry], program: &str) -> Result<String, String> {
    if verdicts.is_empty() {
        return Ok(format!("complete -c {program} -f\n{script}"));
    }
    let (before, rest) = around(script, "-l expect -d '")?;
    let (described, rest) = around(rest, " -a \"")?;
    let (_, after) = around(rest, "\"\n")?;
    let function = format!("__fish_{}_verdicts", program.replace('-', "_"));
    let mut listed = format!("function {function}\n    printf '%s\\t%s\\n'");
    for Entry { term, meaning } in verdicts {
        let _ = write!(listed, " \\\n        {term} '{meaning}'");
    }
    let script = format!(
        "{listed}\nend\n\ncomplete -c {program} -f -a '(__fish_print_hostnames)'\n\
         {before}-l expect -d '{described} -a '(__fish_complete_list , {function})'\n{after}"
    );
    let interfaces = format!("\"{INTERFACES}\\t''\"");
    let script = replaced(&script, &interfaces, "'(__fish_print_interfaces)'")?;
    // -r would make the next word a value.
    let (before, rest) = around(&script, "-l trace -d '")?;
    let (described, after) = around(rest, "' -r -f -a ")?;
    Ok(format!("{before}-l trace -d '{described}' -f -a {after}"))
}

/// `script`, with `new` in the place of `old`, which has to be there once.
fn replaced(script: &str, old: &str, new: &str) -> Result<String, String> {
    match script.matches(old).count() {
        1 => Ok(script.replace(old, new)),
        count => Err(format!("clap's completions have this {count} times, and not once: {old}")),
    }
}

/// What is before and after the first `mark`.
fn around<'s>(script: &'s str, mark: &str) -> Result<(&'s str, &'s str), String> {
    script.split_once(mark).ok_or_else(|| format!("clap's completions do not have this: {mark}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clap_generates_otherwise_is_an_error() {
        assert_eq!(replaced("a b", "b", "c"), Ok("a c".to_owned()));
        assert!(replaced("a", "b", "c").is_err());
        assert!(replaced("b b", "b", "c").is_err());
        let verdicts = [Entry { term: "ok", meaning: "a reply".to_owned() }];
        assert!(of_bash("", &verdicts).is_err());
        assert!(of_zsh("", &verdicts).is_err());
        assert!(of_fish("", &verdicts, "tcp-client").is_err());
    }
}
