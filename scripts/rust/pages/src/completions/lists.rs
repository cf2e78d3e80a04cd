//! What `clap_complete` does not know of: verdicts separated by commas, `--option=value` in bash,
//! and names of hosts in bash and fish.

use std::fmt::Write;

use crate::entries::Entry;

/// Where bash learns what is completed. "=" separates words, and is one.
const BASH_BEGIN: &str = "    prev=\"$3\"\n";
const BASH_EQUALS: &str = "    prev=\"$3\"
    if [[ ${prev} == \"=\" ]]; then
        prev=\"${COMP_WORDS[COMP_CWORD-2]}\"
    elif [[ ${cur} == \"=\" ]]; then
        cur=\"\"
    fi
";

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
    replaced(&replaced(&script, &one, &several)?, BASH_REST, BASH_HOST)
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
    Ok(format!("{before}:VERDICT:{{_values -s , verdict{values}}}' \\\n{after}"))
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
    Ok(format!(
        "{listed}\nend\n\ncomplete -c {program} -f -a '(__fish_print_hostnames)'\n\
         {before}-l expect -d '{described} -a '(__fish_complete_list , {function})'\n{after}"
    ))
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
