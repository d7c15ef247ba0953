//! Five servers at once: the application on four, its database on the fifth.

use crate::lab::Lab;
use crate::site::{Site, Wish};

const WEB: [&str; 4] = ["srv2", "srv3", "srv4", "srv5"];

#[test]
#[ignore = "needs real servers: tests/run"]
fn four_web_servers_share_a_database() {
    let lab = Lab::enter();
    let wish = Wish {
        name: "fleet",
        db_server: Some("srv1"),
        ..Wish::new("pythonweb", "postgresql", &WEB).at("fleet.lab.test")
    };
    let site = Site::init(&lab, &wish);
    let domains = WEB.map(|server| format!("{server}.lab.test"));
    for (at, domain) in domains.iter().enumerate() {
        site.has_its_own_domain(&format!("web{}", at + 1), domain);
        site.lead(domain, WEB[at]);
    }
    site.run(&[]).must_succeed();
    let visitors = [0, 1, 2, 3].map(|at| site.browser_of(&domains[at], WEB[at]));
    for visitor in &visitors {
        visitor.is_served();
    }
    let token = visitors[0].register();
    visitors[0].publish("Through the first", Some(&token));
    visitors[3].publish("Through the last", Some(&token));
    for visitor in &visitors {
        assert_eq!(visitor.titles()[..2], ["Through the last", "Through the first"]);
    }
    site.nothing_is_left(&["web1", "web2", "web3", "web4", "db1"]);
}
