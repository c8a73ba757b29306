//! Tests of licence expressions, bans and sources.

use expect_test::expect;

use super::*;

const POLICY: &str = r#"
[graph]
targets = ["x86_64-unknown-linux-gnu"]
[licenses]
allow = ["MIT", "Apache-2.0 WITH LLVM-exception", "Zlib"]
[bans]
deny = [{ crate = "openssl-sys", reason = "rustls is enough" }]
"#;

#[test]
fn an_expression_needs_one_way_through_it() {
    let policy = Policy::parse(POLICY).unwrap();
    for (expression, allowed) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("MIT AND GPL-3.0", false),
        ("MIT AND Zlib", true),
        ("(GPL-3.0 OR MIT) AND Zlib", true),
        ("(GPL-3.0 AND MIT) OR Zlib", true),
        ("GPL-3.0 OR (MIT AND GPL-2.0)", false),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("Apache-2.0", false),
        ("Apache-2.0 OR Apache-2.0 WITH LLVM-exception", true),
        ("(MIT", false),
        ("MIT MIT", false),
        ("", false),
    ] {
        assert_eq!(policy.allows(expression), allowed, "`{expression}`");
    }
}

#[test]
fn each_finding_says_what_to_do() {
    let package = |name: &str, license: Option<&str>, source: &str| {
        let json = serde_json::json!({"id": name, "name": name, "version": "1.2.3", "license": license,
                                      "source": source, "dependencies": []});
        serde_json::from_value::<Package>(json).unwrap()
    };
    let registry = "registry+https://example.org/crates.io-index";
    let findings = Policy::parse(POLICY).unwrap().findings(&[
        package("fine", Some("MIT"), registry),
        package("openssl-sys", Some("MIT"), registry),
        package("unclear", None, registry),
        package("fork", Some("MIT"), "git+https://example.org/fork"),
    ]);
    expect![[r#"
        openssl-sys 1.2.3 is banned in deny.toml: rustls is enough
        unclear 1.2.3 has licence `none`: use another crate, or allow it in deny.toml with a reason
        fork 1.2.3 comes from `git+https://example.org/fork`: depend on a release on crates.io"#]]
    .assert_eq(&findings.join("\n"));
}
