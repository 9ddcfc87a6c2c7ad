//! Dashboards that cannot be served or would let anybody in: told before a camera is opened.

use super::{
    folder,
    support::{parseye, refused},
};
use std::net::TcpListener;

const TOKEN: &str = "0123456789abcdef0123";

#[test]
fn an_address_that_means_nothing_says_what_would() {
    let folder = folder();
    for address in [
        "",
        "nonsense",
        "127.0.0.1",
        "example.org:80",
        "127.0.0.1:99999",
    ] {
        refused(
            parseye(folder.path()).args(["monitor", "--web", address]),
            1,
            &["web.address", "such as 127.0.0.1:8080"],
        );
    }
}

#[test]
fn an_address_for_everybody_needs_a_good_token() {
    let folder = folder();
    for address in ["0.0.0.0:8080", "[::]:8080"] {
        refused(
            parseye(folder.path()).args(["monitor", "--web", address]),
            1,
            &[address, "--token", "127.0.0.1"],
        );
        refused(
            parseye(folder.path()).args(["monitor", "--web", address, "--token", "1234"]),
            1,
            &["web.token", "openssl rand"],
        );
    }
    // Nor do the settings let anybody in.
    refused(
        parseye(folder.path())
            .args(["monitor"])
            .env("PARSEYE_WEB__ADDRESS", "0.0.0.0:8080"),
        1,
        &["web.address", "--token"],
    );
}

#[test]
fn a_port_that_cannot_be_had_is_told_before_the_camera() {
    let folder = folder();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let monitor = |address: &str, words: &[&str]| {
        refused(
            parseye(folder.path()).args([
                "monitor",
                "--camera",
                "/dev/null",
                "--web",
                address,
                "--token",
                TOKEN,
            ]),
            1,
            words,
        );
    };
    monitor(&address, &[&address, "another program", "--web"]);
    // Reserved for documentation, so nobody has it.
    monitor("192.0.2.1:8080", &["192.0.2.1:8080", "no such address"]);
}
