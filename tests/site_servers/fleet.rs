//! Five servers at once: the application on four behind one name, its database on the fifth.

use std::time::Instant;

use crate::lab::Lab;
use crate::site::{Site, Wish};

const WEB: [&str; 4] = ["srv2", "srv3", "srv4", "srv5"];

#[test]
#[ignore = "needs real servers: tests/run"]
fn four_web_servers_share_a_name_and_a_database() {
    let lab = Lab::enter();
    let wish = Wish {
        name: "fleet",
        db_server: Some("srv1"),
        ..Wish::new("pythonweb", "postgresql", &WEB).at("fleet.lab.test")
    };
    let site = Site::init(&lab, &wish);
    let began = Instant::now();
    site.run(&[]).must_succeed();
    eprintln!("five servers: HTTPS in {:.0} s", began.elapsed().as_secs_f32());

    let visitors = WEB.map(|server| site.browser_of(site.domain, server));
    for visitor in &visitors {
        visitor.is_served();
    }
    // Whoever comes next may be sent to another server.
    let token = visitors[0].register();
    visitors[0].publish("Through the first", Some(&token));
    visitors[3].publish("Through the last", Some(&token));
    for visitor in &visitors {
        assert_eq!(visitor.titles()[..2], ["Through the last", "Through the first"]);
    }
    site.nothing_is_left(&["web1", "web2", "web3", "web4", "db1"]);
}
