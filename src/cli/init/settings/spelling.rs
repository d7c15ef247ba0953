//! A value as the application wants it written: its stage, a list, a switch.

use crate::cli::init::detect::Variable;
use crate::cli::init::settings::Where;

/// As the application spells it; where it knows no such value, nothing.
pub fn stage(variable: &Variable) -> Option<&str> {
    let wanted = ["production", "prod", "prd", "live"];
    let known = || variable.known.iter().map(String::as_str);
    let class = |known: &&str| {
        let name = known.rsplit_once('.').map_or("", |(_, name)| name);
        ["ProductionConfig", "ProdConfig"].contains(&name)
    };
    let spelt = wanted.iter().find_map(|wanted| known().find(|known| known.eq_ignore_ascii_case(wanted)));
    spelt.or_else(|| known().find(class))
}

/// `CORS_ORIGINS`, `CSRF_TRUSTED_ORIGINS`; no switch such as `CORS_ALLOW_ALL_ORIGINS`.
pub fn is_origins(name: &str) -> bool {
    let cors = name.contains("CORS_") && name.contains("ORIGINS");
    let other = ["ALLOW_ALL", "REGEX", "REGEXES"].iter().any(|word| name.contains(word));
    (cors || name.ends_with("TRUSTED_ORIGINS")) && !other
}

/// All domains, each behind `before`, as the application takes them apart.
pub fn several(variable: &Variable, before: &str) -> String {
    if is_json(variable) {
        return match before {
            "" => "{{json app.domains}}".to_owned(),
            _ => format!("[\"{before}{{{{join app.domains '\",\"{before}'}}}}\"]"),
        };
    }
    format!("{before}{{{{join app.domains \"{}{before}\"}}}}", separator(variable))
}

/// pydantic reads lists as JSON, unless it is told not to.
fn is_json(variable: &Variable) -> bool {
    let annotation = variable.annotation.as_deref().unwrap_or_default().to_lowercase();
    let list = ["list[", "set[", "tuple[", "sequence["].iter().any(|kind| annotation.contains(kind))
        || annotation == "list"
        || annotation == "set";
    let loaded =
        ["json.loads(", "env.json(", "literal_eval("].iter().any(|call| variable.code.contains(call));
    loaded || (list && !annotation.contains("nodecode"))
}

fn separator(variable: &Variable) -> &'static str {
    if [".split()", ".split(\" \")", ".split(' ')"].iter().any(|call| variable.code.contains(call)) {
        " "
    } else {
        ","
    }
}

pub fn hosts(variable: &Variable, at: Where) -> String {
    match at {
        Where::Server(_) => several(variable, ""),
        Where::Here if is_json(variable) => "[\"localhost\",\"127.0.0.1\"]".to_owned(),
        Where::Here => format!("localhost{}127.0.0.1", separator(variable)),
    }
}

/// A switch as the application spells it: some take `True` and `False` alone.
pub fn flag(variable: &Variable, on: bool) -> String {
    let known = |text: &&&str| variable.known.iter().any(|value| value == **text);
    let digits = ["0", "1"].iter().any(|text| known(&text));
    let spelt =
        [["True", "False"], ["true", "false"]].into_iter().find(|pair| pair.iter().any(|text| known(&text)));
    let [yes, no] = spelt.filter(|_| !digits).unwrap_or(["1", "0"]);
    if on { yes } else { no }.to_owned()
}

/// Whether `0` means no: where any text counts as yes, it must not be set at all.
pub fn is_parsed(code: &str) -> bool {
    ["==", " in ", "int(", "bool", "strtobool", "flag("].iter().any(|sign| code.contains(sign))
        && !code.contains("bool(os.")
}
