//! Which authorities the DNS lets issue for a name: the CAA records of it, or else of the nearest name above it.

use std::collections::{BTreeMap, BTreeSet};

use crate::preflight::{Subject, is_placeholder};
use crate::task::need::Certificate;
use crate::words::finding::Finding;
use crate::words::plural::list;

const TOPIC: &str = "dns";

/// Tag and value of the records of each name that was looked up.
pub type Records = BTreeMap<String, Vec<(String, String)>>;

/// The name itself, and those above it that somebody can own.
fn upwards(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| {
        name.split_once('.').map(|(_, above)| above).filter(|above| above.contains('.'))
    })
}

/// All names to look up for `subjects`.
pub fn names(subjects: &[Subject]) -> BTreeSet<String> {
    let domains = subjects.iter().flat_map(Subject::domains).filter(|name| !is_placeholder(name));
    domains.flat_map(upwards).map(str::to_owned).collect()
}

pub(super) fn findings(subject: &Subject, records: &Records) -> Vec<Finding> {
    let of = |certificate| judged(certificate, records);
    subject.certificates().flat_map(of).collect()
}

fn judged(certificate: &Certificate, records: &Records) -> Vec<Finding> {
    let names: BTreeSet<&str> = certificate.domains.iter().map(String::as_str).collect();
    names.into_iter().filter_map(|name| forbidden(name, certificate.authority, records)).collect()
}

/// Where nobody may issue, or others than `authority`; one that is not known by name may be among them.
fn forbidden(name: &str, authority: Option<&str>, records: &Records) -> Option<Finding> {
    let (at, set) =
        upwards(name).find_map(|at| Some((at, records.get(at).filter(|set| !set.is_empty())?)))?;
    let issue: Vec<String> =
        set.iter().filter(|(tag, _)| tag == "issue").map(|(_, value)| issuer(value)).collect();
    let mut allowed: Vec<&str> =
        issue.iter().map(String::as_str).filter(|issuer| !issuer.is_empty()).collect();
    allowed.sort_unstable();
    allowed.dedup();
    // Records of other tags alone forbid nothing here.
    if issue.is_empty() || authority.is_some_and(|authority| allowed.contains(&authority)) {
        return None;
    }
    let who = if allowed.is_empty() {
        "no authority".to_owned()
    } else {
        format!("only {}", list(&allowed, "and"))
    };
    let what = format!("{who} may issue certificates for {name}, by the CAA record of {at}");
    let create = |authority: &str| format!("create the DNS record `CAA {at} → 0 issue \"{authority}\"`");
    let why = "an authority that is not named there refuses";
    Some(match authority {
        Some(authority) => Finding::problem(TOPIC, what).why(why).todo(create(authority)),
        None if allowed.is_empty() => Finding::problem(TOPIC, what)
            .why(why)
            .todo(format!("{}, with the name that your authority calls itself", create("AUTHORITY"))),
        None => Finding::warning(TOPIC, what)
            .why(why)
            .todo(format!("if your authority calls itself otherwise, {}", create("AUTHORITY"))),
    })
}

/// Without parameters: `letsencrypt.org; accounturi=…`. Nobody is `;`.
fn issuer(value: &str) -> String {
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::{Records, forbidden, upwards};
    use crate::words::finding::Level;

    const LE: Option<&str> = Some("letsencrypt.org");

    fn records(at: &str, set: &[(&str, &str)]) -> Records {
        let set = set.iter().map(|(tag, value)| ((*tag).to_owned(), (*value).to_owned())).collect();
        [("www.shop.dev".to_owned(), vec![]), (at.to_owned(), set)].into()
    }

    #[test]
    fn a_name_and_those_above_it() {
        assert_eq!(upwards("www.shop.dev").collect::<Vec<_>>(), ["www.shop.dev", "shop.dev"]);
        assert_eq!(upwards("shop.dev").count(), 1);
    }

    #[test]
    fn who_is_named_may_and_where_nobody_is_named_everybody() {
        for set in [
            &[("issue", " LetsEncrypt.org ; validationmethods=http-01")][..],
            &[("issue", "other.example"), ("issue", "letsencrypt.org")],
            &[("iodef", "mailto:me@shop.dev")],
            &[("issuewild", ";")],
            &[],
        ] {
            assert_eq!(forbidden("www.shop.dev", LE, &records("shop.dev", set)), None, "{set:?}");
        }
        assert_eq!(forbidden("www.shop.dev", LE, &Records::new()), None);
    }

    #[test]
    fn the_nearest_records_count() {
        let mut records = records("shop.dev", &[("issue", ";")]);
        let found = forbidden("www.shop.dev", LE, &records).unwrap();
        assert_eq!(
            found.what,
            "no authority may issue certificates for www.shop.dev, by the CAA record of shop.dev"
        );
        assert_eq!(found.todo.unwrap(), "create the DNS record `CAA shop.dev → 0 issue \"letsencrypt.org\"`");
        records.insert("www.shop.dev".into(), vec![("issue".into(), "letsencrypt.org".into())]);
        assert_eq!(forbidden("www.shop.dev", LE, &records), None);
    }

    #[test]
    fn an_authority_of_ones_own_may_be_the_one_that_is_named() {
        let named = records("shop.dev", &[("issue", "other.example")]);
        assert_eq!(forbidden("shop.dev", LE, &named).unwrap().level, Level::Problem);
        let found = forbidden("shop.dev", None, &named).unwrap();
        assert_eq!(found.level, Level::Warning);
        assert!(found.what.starts_with("only other.example may issue certificates for shop.dev"));
        let nobody = records("shop.dev", &[("issue", ";")]);
        assert_eq!(forbidden("shop.dev", None, &nobody).unwrap().level, Level::Problem);
    }
}
