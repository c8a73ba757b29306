//! Where a redirect may lead.

use super::*;

fn refused(from: &str, to: &str) -> Option<String> {
    refuse_redirect(&[from.parse().unwrap()], &to.parse().unwrap())
}

#[test]
fn nobody_outside_leads_a_worker_inside() {
    for inside in [
        "http://127.0.0.1:8080/",
        "http://localhost/",
        "http://a.localhost./",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.1.2.3/",
        "http://172.16.0.1/",
        "http://192.168.0.1/",
        "http://100.100.100.200/",
        "http://0.0.0.0/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://[::1]/",
        "http://[::]/",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://[::ffff:169.254.169.254]/",
    ] {
        let why = refused("http://films.example/a.mov", inside).unwrap_or_default();
        assert!(why.contains("in the network of this machine"), "{inside}: {why}");
        assert_eq!(refused("http://127.0.0.1/a.mov", inside), None, "{inside}");
    }
    for outside in ["http://mirror.example/", "http://8.8.8.8/", "http://[2001:db8::1]/"] {
        assert_eq!(refused("http://films.example/a.mov", outside), None, "{outside}");
    }
    // The first address counts, not where it led.
    let way = ["http://films.example/", "http://mirror.example/"].map(|url| url.parse().unwrap());
    assert!(refuse_redirect(&way, &"http://10.0.0.1/".parse().unwrap()).is_some());
}

#[test]
fn a_safe_way_stays_one_and_ends() {
    assert!(refused("https://films.example/", "http://films.example/").is_some());
    let way = vec!["http://films.example/".parse().unwrap(); REDIRECTS + 1];
    let why = refuse_redirect(&way, &"http://films.example/".parse().unwrap());
    assert_eq!(why.as_deref(), Some("it redirects too often"));
}
