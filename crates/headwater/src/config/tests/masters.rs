//! Which origins masters come from, and which buckets are watched.

use super::*;

/// A bucket that masters arrive in.
const INBOX: &str = "[origins.inbox]\nkind = 's3'\nbucket = 'inbox'\nprefix = 'in'\n";

#[test]
fn an_origin_of_masters_holds_no_packages() {
    let alone = config(&format!("{INBOX}[masters]\norigins = ['inbox']\n"), &[]);
    assert_eq!(alone.policy.origins, ["local"], "packages stay where they are");
    assert_eq!(path_of(&alone, "local"), "headwater-data/origin");
    assert_eq!((alone.origins.len(), alone.masters.len()), (1, 1));
    assert_eq!(
        (alone.masters[0].bucket.as_str(), alone.masters[0].prefix.as_str()),
        ("inbox", "in/")
    );

    let beside = format!("{INBOX}[origins.b2]\nkind = 's3'\nbucket = 'films'\n");
    let beside = config(&format!("{beside}[masters]\norigins = ['inbox', 'inbox']\n"), &[]);
    assert_eq!((beside.policy.origins, beside.masters.len()), (vec!["b2".to_owned()], 1));
}

#[test]
fn folders_of_it_are_watched() {
    let file =
        format!("{INBOX}[masters]\norigins = ['inbox']\n[watch]\nbuckets = ['s3://inbox/in/a']\n");
    let watch = config(&file, &[]).watch;
    assert_eq!(watch.buckets[0].to_string(), "s3://inbox/in/a/");
    assert_eq!(watch.poll, Duration::from_mins(1));
}

#[test]
fn what_does_not_go_together_is_told() {
    check(
        &format!("{INBOX}[origins.b]\npath = '/b'\n[masters]\norigins = ['inbix', 'b']\n"),
        &[],
        expect![[r#"
            /etc/hw/headwater.toml:8:12: there is no origin `inbix`
              8 | origins = ['inbix', 'b']
                |            ^^^^^^^
            hint: did you mean `inbox`?

            /etc/hw/headwater.toml:8:21: `b` is a folder, and masters in folders need no origin
              8 | origins = ['inbix', 'b']
                |                     ^^^
            hint: take it away: a master is read by its path"#]],
    );
    check(
        &format!(
            "{INBOX}[masters]\norigins = ['inbox']\n[watch]\nbuckets = ['s3://inbox/on/', 's3://u:hunter2@inbox/']\n"
        ),
        &[],
        expect![[r#"
            /etc/hw/headwater.toml:8:30: no bucket of that name can be: `s3://bucket/key`
              8 | buckets = ['s3://inbox/on/', 's3:// …
                |                              ^^^^^^^^^^^^^^^^^^^^^^^
            hint: for example `buckets = ["s3://inbox/suppliers/"]` (folders of buckets that are watched too: objects right in them become titles; each in an origin of `masters.origins`; when left out, no bucket is watched)"#]],
    );
    check(
        &format!("{INBOX}[masters]\norigins = ['inbox']\n[watch]\nbuckets = ['s3://inbox/on/']\n"),
        &[],
        expect![[r#"
            /etc/hw/headwater.toml:8:12: no origin of `masters.origins` holds `s3://inbox/on/`
              8 | buckets = ['s3://inbox/on/']
                |            ^^^^^^^^^^^^^^^^
            hint: add an origin with `bucket = "inbox"`, and its name to `masters.origins`"#]],
    );
    check(
        &format!(
            "{INBOX}[origins.b2]\nkind = 's3'\nbucket = 'b2'\n[masters]\norigins = ['inbox', 'b2']\n\
             [publish]\nrequired = ['inbox']\narchive = 'b2'\n"
        ),
        &[],
        expect![[r#"
            /etc/hw/headwater.toml:9:21: `b2` is the archive, where copies of masters are stored
              9 | origins = ['inbox', 'b2']
                |                     ^^^^
            hint: take it away here, or from `publish.archive`

            /etc/hw/headwater.toml:11:13: `inbox` holds masters, and no packages
              11 | required = ['inbox']
                 |             ^^^^^^^
            hint: take it away here, or from `masters.origins`

            /etc/hw/headwater.toml:12:11: `b2` is the only origin, and an archive holds no packages
              12 | archive = 'b2'
                 |           ^^^^
            hint: add an origin for the packages: `[origins.NAME]`"#]],
    );
    check(
        &format!(
            "{INBOX}[origins.all]\nkind = 's3'\nbucket = 'inbox'\n[masters]\norigins = ['inbox']\n"
        ),
        &[],
        expect![[r#"
            `origins.inbox` (`inbox/in/`) and `origins.all` (`inbox/`) share a bucket and lie in each other
            hint: masters would be mistaken for packages, or packages for masters: keep the folders apart"#]],
    );
}
