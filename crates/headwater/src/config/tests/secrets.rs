//! Secrets: only variables hold them, and nothing shows them.

use super::origins::s3;
use super::*;

/// Every text that the secret could end up in.
#[test]
fn secrets_are_shown_nowhere() {
    const SECRET: &str = "hush-hush";
    let secrets = [
        ("HEADWATER_ORIGINS_B2_ACCESS_KEY_ID", "hush-hush-1"),
        ("HEADWATER_ORIGINS_B2_SECRET_ACCESS_KEY", "hush-hush-2"),
        ("HEADWATER_ORIGINS_B2_SESSION_TOKEN", "hush-hush-3"),
        ("HEADWATER_ORIGINS_B2_PURGE_TOKEN", "hush-hush-4"),
    ];
    let file = "[origins.b2]\nkind = 's3'\nbucket = 'films'\nedge_url = 'https://cdn.example'\npurge_method = 'PURGE'\n";
    let good = config(file, &secrets);
    let credentials = s3(&good, "b2").credentials.clone().unwrap();
    assert_eq!(credentials.access_key, "hush-hush-1");
    assert_eq!(credentials.secret_key, "hush-hush-2");
    assert_eq!(credentials.session_token.as_deref(), Some("hush-hush-3"));
    assert!(!shown(&good).contains(SECRET), "{}", shown(&good));

    // Whatever else is wrong, and with every subset of them.
    for file in [
        file,
        "",
        "[origins.b2]\n",
        "[origins.b2]\nkind = 's3'\n",
        "[origins.b2\n",
        "colour = 'red'",
    ] {
        for subset in 1..16 {
            let pairs: Vec<_> =
                (0..4).filter(|n| subset & (1 << n) != 0).map(|n| secrets[n]).collect();
            let outcome = match try_config(file, &pairs) {
                Ok(config) => shown(&config),
                Err(complaints) => complaints,
            };
            assert!(!outcome.contains(SECRET), "{outcome}");
        }
    }
}

#[test]
fn secrets_alone_make_no_origin() {
    let file = "[origins.b2]\nkind = 's3'\nbucket = 'films'\n";
    let keys = [
        ("HEADWATER_ORIGINS_B3_ACCESS_KEY_ID", "hush-hush"),
        ("HEADWATER_ORIGINS_B3_SECRET_ACCESS_KEY", "hush-hush"),
        ("HEADWATER_ORIGINS_ELSEWHERE_PURGE_TOKEN", "hush-hush"),
    ];
    let left = config(file, &keys);
    assert_eq!(left.policy.origins, ["b2"]);
    assert_eq!(
        left.warnings,
        [
            "no origin `b3` is configured (did you mean `b2`?): nothing is made of \
             HEADWATER_ORIGINS_B3_ACCESS_KEY_ID, HEADWATER_ORIGINS_B3_SECRET_ACCESS_KEY",
            "no origin `elsewhere` is configured: nothing is made of HEADWATER_ORIGINS_ELSEWHERE_PURGE_TOKEN",
        ]
    );
    // Whatever else is said of it makes it one, and what is wrong with it is told.
    let named = |file: &str, more: &[_]| try_config(file, &[&keys[..2], more].concat());
    let told = named("[origins.b3]\n", &[]).unwrap_err();
    assert!(
        told.contains("ACCESS_KEY_ID: means nothing to an origin of kind `directory`"),
        "{told}"
    );
    let bucket = [("HEADWATER_ORIGINS_B3_KIND", "s3"), ("HEADWATER_ORIGINS_B3_BUCKET", "films")];
    assert_eq!(named("", &bucket).unwrap().policy.origins, ["b3"]);
}

#[test]
fn a_key_needs_its_secret() {
    let file = "[origins.b2]\nkind = 's3'\nbucket = 'films'\n";
    check(
        file,
        &[("HEADWATER_ORIGINS_B2_ACCESS_KEY_ID", "hush-hush")],
        expect![[r#"
            HEADWATER_ORIGINS_B2_ACCESS_KEY_ID: means nothing without `HEADWATER_ORIGINS_B2_SECRET_ACCESS_KEY`
            hint: take it away, or say for example `HEADWATER_ORIGINS_B2_SECRET_ACCESS_KEY=…`"#]],
    );
    check(
        file,
        &[("HEADWATER_ORIGINS_B2_SECRET_ACCESS_KEY", "hush-hush")],
        expect![[r#"
            HEADWATER_ORIGINS_B2_SECRET_ACCESS_KEY: means nothing without `HEADWATER_ORIGINS_B2_ACCESS_KEY_ID`
            hint: take it away, or say for example `HEADWATER_ORIGINS_B2_ACCESS_KEY_ID=…`"#]],
    );
    check(
        file,
        &[("HEADWATER_ORIGINS_B2_SESSION_TOKEN", "hush-hush")],
        expect![[r#"
            HEADWATER_ORIGINS_B2_SESSION_TOKEN: means nothing without `HEADWATER_ORIGINS_B2_ACCESS_KEY_ID`
            hint: take it away, or say for example `HEADWATER_ORIGINS_B2_ACCESS_KEY_ID=…`"#]],
    );
    check(
        file,
        &[
            ("HEADWATER_ORIGINS_B2_ACCESS_KEY_ID", "hush-hush"),
            ("HEADWATER_ORIGINS_B2_SECRET_ACCESS_KEY", "hush-hush\n"),
        ],
        expect![[r#"
            HEADWATER_ORIGINS_B2_SECRET_ACCESS_KEY: holds a space, a line break or a letter beyond ASCII
            hint: such a thing at the end often comes from the file that the value was read from"#]],
    );
}

#[test]
fn no_address_holds_a_password() {
    let file = |setting: &str| {
        format!(
            "[origins.b2]\nkind = 's3'\nbucket = 'films'\nedge_url = 'https://cdn.example'\npurge_method = 'PURGE'\n{setting}\n"
        )
    };
    check(
        &file("endpoint = 'https://ops:hush-hush@s3.example'"),
        &[],
        expect![[r#"
        /etc/hw/headwater.toml:6:1: `origins.b2.endpoint` holds a user's name or a password
          6 | endpoint = 'https:// …
            | ^^^^^^^^
        hint: take away what stands before the `@`; secrets have variables of their own"#]],
    );
    check(
        &file(""),
        &[("HEADWATER_ORIGINS_B2_PURGE_URL", "https://hush-hush@api.example/purge?x")],
        expect![[r#"
            HEADWATER_ORIGINS_B2_PURGE_URL: holds a user's name or a password
            hint: take away what stands before the `@`; secrets have variables of their own"#]],
    );
    for setting in ["endpoint", "public_url", "purge_url"] {
        for address in ["https://ops:hush-hush@s3.example", "ftp://hush-hush@s3.example"] {
            let complaints =
                try_config(&file(&format!("{setting} = '{address}'")), &[]).unwrap_err();
            assert!(complaints.contains("holds a user's name or a password"), "{complaints}");
            assert!(!complaints.contains("hush"), "{complaints}");
        }
    }
    // That is a path.
    config(&file("public_url = 'https://media.example/@films'"), &[]);
}

#[test]
fn a_secret_in_the_file_is_not_quoted() {
    check(
        "[origins.b2-west]\nkind = 's3'\nbucket = 'films'\naccess_key_id = 'hush-hush'\n\
         secret_access_key = 'hush-hush'\nsession_token='hush-hush'\npurge_token = 7\nsecret_key = 'hush-hush'\n\
         region = 8 # secret_access_key = 'hush-hush'\n",
        &[],
        expect![[r#"
            /etc/hw/headwater.toml:4:1: unknown key `origins.b2-west.access_key_id`
              4 | access_key_id …
                | ^^^^^^^^^^^^^
            hint: secrets have no place in the file; variables hold them: `HEADWATER_ORIGINS_B2_WEST_ACCESS_KEY_ID`

            /etc/hw/headwater.toml:5:1: unknown key `origins.b2-west.secret_access_key`
              5 | secret_access_key …
                | ^^^^^^^^^^^^^^^^^
            hint: secrets have no place in the file; variables hold them: `HEADWATER_ORIGINS_B2_WEST_SECRET_ACCESS_KEY`

            /etc/hw/headwater.toml:6:1: unknown key `origins.b2-west.session_token`
              6 | session_token …
                | ^^^^^^^^^^^^^
            hint: secrets have no place in the file; variables hold them: `HEADWATER_ORIGINS_B2_WEST_SESSION_TOKEN`

            /etc/hw/headwater.toml:7:1: unknown key `origins.b2-west.purge_token`
              7 | purge_token …
                | ^^^^^^^^^^^
            hint: secrets have no place in the file; variables hold them: `HEADWATER_ORIGINS_B2_WEST_PURGE_TOKEN`

            /etc/hw/headwater.toml:8:1: unknown key `origins.b2-west.secret_key`
              8 | secret_key …
                | ^^^^^^^^^^
            hint: secrets have no place in the file; variables hold them: `HEADWATER_DATABASE_PASSWORD`, `HEADWATER_ORIGINS_B2_WEST_ACCESS_KEY_ID`, `HEADWATER_ORIGINS_B2_WEST_SECRET_ACCESS_KEY`, `HEADWATER_ORIGINS_B2_WEST_SESSION_TOKEN`, `HEADWATER_ORIGINS_B2_WEST_PURGE_TOKEN`

            /etc/hw/headwater.toml:9:10: `origins.b2-west.region` must be a string in quotes, not a whole number
              9 | region = 8 # secret_access_key …
                |          ^"#]],
    );
    for file in [
        "origins.b2.secret_access_key = 'hush-hush'",
        "origins = { b2 = { secret_access_key = 'hush-hush', kin = 's3' } }",
        "[origins.b2]\nsecret_access_key = '''\nhush-hush'''\nregion = 7",
        "[origins.b2]\n'secret_access_key' = 'hush-hush'",
        "[origins.b2]\nSECRET_ACCESS_KEY = 'hush-hush'",
        "[origins.b2]\nsecret_access_key = ['hush-hush']",
        "[origins]\nsecret_access_key = 'hush-hush'",
        "[publish]\npurge_token = 'hush-hush'",
        // These are not even TOML.
        "[origins.b2]\nsecret_access_key = '''\nhush-hush",
        "[origins.b2]\nsecret_access_key = \"\"\"\nhush-hush\nhush\n",
        "[origins.b2]\nsecret_access_key =\n'hush-hush'",
        "[origins.b2]\nsecret_access_key = [\n'hush-hush' 'hush'\n]",
        "[origins.b2]\nsecret_access_key = 'hush-hush",
        "[origins.b2]\nsecret_access_key = hush-hush",
        "[origins.b2]\nsecret_access_key 'hush-hush'",
        "[origins.b2]\nsecret_access_key: 'hush-hush'",
        "[origins.b2]\nsecret_access_key='a' 'hush-hush'",
    ] {
        let complaints = try_config(file, &[]).unwrap_err();
        assert!(!complaints.contains("hush"), "{complaints}");
    }
}
