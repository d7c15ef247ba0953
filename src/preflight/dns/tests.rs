//! Names that lead here, nowhere, elsewhere, or by IPv6 alone elsewhere.

use super::Dns;
use crate::preflight::sample::{Sample, certificate};
use crate::task::need::{Certificate, Need};

const OWN: &str = "own 198.18.0.11\nown fe80::1\n";
const NAME: &str = "shop.towline.dev";

fn sample(is_public: bool) -> Sample<'static> {
    Sample::new(&Dns, &[Need::Certificate(Certificate { is_public, ..certificate(&[NAME]) })])
}

fn there(address: &str) -> String {
    format!("{OWN}name {NAME} {address}\n")
}

#[test]
fn it_leads_here() {
    let fine = sample(true).finds(NAME, &["198.18.0.11"]);
    assert_eq!(fine.said(&there("198.18.0.11")), ["ok: shop.towline.dev leads here"]);
    // The host's own name is often in its /etc/hosts; some resolvers make up mapped addresses.
    assert_eq!(fine.said(&there("127.0.1.1")), ["ok: shop.towline.dev leads here"]);
    assert_eq!(fine.said(&there("::ffff:198.18.0.11")), ["ok: shop.towline.dev leads here"]);
}

#[test]
fn there_is_no_record() {
    let public = sample(true).finds(NAME, &[]);
    assert_eq!(
        public.said(OWN),
        [
            "problem: shop.towline.dev has no address in the DNS → create the DNS record `A shop.towline.dev → 198.18.0.11`"
        ]
    );
    assert!(sample(false).said(OWN)[0].starts_with("warning"), "another authority may ask another DNS");
}

#[test]
fn it_leads_elsewhere() {
    let said = sample(true).finds(NAME, &["198.18.0.99"]).said(&there("198.18.0.99"));
    assert_eq!(
        said,
        [
            "problem: shop.towline.dev leads to 198.18.0.99, which is not this host's address → create the DNS record \
          `A shop.towline.dev → 198.18.0.11` (now: 198.18.0.99)"
        ]
    );
    let mut shared = sample(true).finds(NAME, &["198.18.0.11", "198.18.0.12"]);
    assert!(shared.said(OWN)[0].starts_with("problem"));
    shared.subject.neighbours = ["198.18.0.12".parse().unwrap()].into();
    assert!(
        shared.said(OWN)[0]
            .starts_with("warning: shop.towline.dev leads to 198.18.0.12 as well, another host")
    );
}

#[test]
fn ipv6_alone_leads_elsewhere() {
    let trap = sample(true).finds(NAME, &["198.18.0.11", "2001:470::1"]);
    let said = trap.said(OWN);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].ends_with("→ remove the DNS record `AAAA shop.towline.dev → 2001:470::1`"), "{said:?}");
    let said = trap.said(&format!("{OWN}own 2001:470::9\n"));
    assert!(said[0].contains("create the DNS record `AAAA shop.towline.dev → 2001:470::9`"), "{said:?}");
    assert!(trap.said(&format!("{OWN}own 2001:470::1\n"))[0].starts_with("ok"));
}

#[test]
fn behind_nat_the_address_of_the_inventory_counts() {
    let inside = "own 10.0.0.5\n";
    assert!(sample(true).finds(NAME, &["198.18.0.11"]).said(inside)[0].starts_with("ok"));
    let mut by_name = sample(true).finds(NAME, &["198.18.0.77"]).finds("box.towline.dev", &["198.18.0.77"]);
    by_name.subject.address = "box.towline.dev".into();
    assert!(by_name.said(inside)[0].starts_with("ok"));
    let mut private = sample(true).finds(NAME, &["198.18.0.77"]);
    private.subject.address = "10.0.0.5".into();
    assert!(
        private.said(inside)[0]
            .starts_with("warning: shop.towline.dev leads to 198.18.0.77; the host has private")
    );
}

#[test]
fn only_the_host_knows_it() {
    let said = sample(true).finds(NAME, &[]).said(&there("198.18.0.11"));
    assert!(
        said[0].starts_with("warning: shop.towline.dev is known to the host, but not to this machine"),
        "{said:?}"
    );
    assert!(sample(false).finds(NAME, &[]).said(&there("198.18.0.11"))[0].starts_with("ok"));
}
