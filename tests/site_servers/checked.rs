//! `tow check` on what only a real DNS can say: who may issue certificates for a domain.

use crate::lab::{Lab, Run};
use crate::site::{Site, Wish};

/// Exit code and, of what was found, what is about CAA.
fn said(run: &Run) -> (i32, Vec<String>) {
    let about = run.findings("web1").into_iter().filter(|line| line.contains("CAA"));
    (run.code, about.collect())
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_caa_record_above_the_domain_forbids_the_authority() {
    let lab = Lab::enter();
    let site = Site::init(&lab, &Wish::new("fastapi", "sqlite", &["srv5"]).at("shop.checked.test"));
    let check = || site.check_with_the_labs_dns();
    lab.lab(&["caa", "checked.test"]);
    let run = check();
    assert_eq!(said(&run), (0, vec![]), "{}", run.story());

    lab.lab(&["caa", "checked.test", ";"]);
    let forbidden = "problem dns: no authority may issue certificates for shop.checked.test, by the CAA record of checked.test → create the DNS record `CAA checked.test → 0 issue \"AUTHORITY\"`, with the name that your authority calls itself";
    assert_eq!(said(&check()), (3, vec![forbidden.to_owned()]));

    // What the lab's authority calls itself, `tow` cannot know.
    lab.lab(&["caa", "checked.test", "other-ca.test"]);
    let (code, found) = said(&check());
    assert_eq!((code, found.len()), (0, 1), "{found:?}");
    assert!(found[0].starts_with("warning dns: only other-ca.test may issue certificates"), "{found:?}");
    lab.lab(&["caa", "checked.test"]);
    assert_eq!(said(&check()), (0, vec![]));
}
