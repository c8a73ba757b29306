//! What has to be proven on which origins, and how what is live is audited.

use super::*;

/// An S3 origin and a folder, in this order by name.
const TWO: &str = "[origins.b2]\nkind = 's3'\nbucket = 'films'\n[origins.basement]\npath = '/b'\n";

/// Another one, for masters.
const THREE: &str = "[origins.b2]\nkind = 's3'\nbucket = 'films'\n[origins.basement]\npath = '/b'\n\
                     [origins.glacier]\nkind = 's3'\nbucket = 'masters'\n";

#[test]
fn all_packages_are_required_unless_somebody_says_otherwise() {
    let policy = |more: &str| config(&format!("{THREE}[publish]\n{more}"), &[]).policy;
    let all = policy("");
    assert_eq!(all.origins, ["b2", "basement", "glacier"]);
    assert_eq!((&all.required, all.min_copies, &all.archive), (&all.origins, 3, &None));
    assert_eq!(all.verify, headwater_model::origin::Verify::Listing);

    let archived = policy("archive = 'glacier'");
    assert_eq!(archived.origins, ["b2", "basement"]);
    assert_eq!((archived.min_copies, archived.archive.as_deref()), (2, Some("glacier")));

    let best_first = policy("required = ['glacier', 'b2']");
    assert_eq!(best_first.origins, ["glacier", "b2", "basement"]);
    assert_eq!((best_first.required.len(), best_first.min_copies), (2, 2));

    let any = policy("required = []");
    assert_eq!(any.origins, ["b2", "basement", "glacier"]);
    assert_eq!((any.required.len(), any.min_copies), (0, 1));
    assert_eq!(policy("required = []\nmin_copies = 3").min_copies, 3);
}

#[test]
fn packages_are_not_kept_where_they_cannot_be_read() {
    let cold = format!("{THREE}storage_class = 'DEEP_ARCHIVE'\n");
    let archived = config(&format!("{cold}[publish]\narchive = 'glacier'\n"), &[]);
    assert_eq!(archived.policy.archive.as_deref(), Some("glacier"));
    check(
        &cold,
        &[],
        expect![[r#"
        /etc/hw/headwater.toml:9:17: what is stored as `DEEP_ARCHIVE` cannot be read at once, and viewers read packages
          9 | storage_class = 'DEEP_ARCHIVE'
            |                 ^^^^^^^^^^^^^^
        hint: take it away, or keep only masters there: `publish.archive` is then `glacier`"#]],
    );
    check(
        TWO,
        &[("HEADWATER_ORIGINS_B2_STORAGE_CLASS", "GLACIER")],
        expect![[r#"
        HEADWATER_ORIGINS_B2_STORAGE_CLASS: what is stored as `GLACIER` cannot be read at once, and viewers read packages
        hint: take it away, or keep only masters there: `publish.archive` is then `b2`"#]],
    );
    let at_once = ("HEADWATER_ORIGINS_B2_STORAGE_CLASS", "GLACIER_IR");
    assert_eq!(config(TWO, &[at_once]).policy.origins, ["b2", "basement"]);
}

#[test]
fn an_audit_may_never_read() {
    let audit = |text: &str| config(&format!("[audit]\n{text}"), &[]).audit;
    assert_eq!(audit("read_days = 0").read, None);
    assert_eq!(audit("read_days = 0.01").read, Some(Duration::from_secs(864)));
    assert_eq!(audit("list_days = 0.5").list, Duration::from_secs(43_200));
}

#[test]
fn names_that_are_no_origins() {
    check(
        &format!(
            "{THREE}[publish]\nrequired = ['b2', 'bassement', 'b2', 'glacier']\narchive = 'glacier'\n"
        ),
        &[],
        expect![[r#"
            /etc/hw/headwater.toml:10:19: there is no origin `bassement`
              10 | required = ['b2', 'bassement', 'b2', 'glacier']
                 |                   ^^^^^^^^^^^
            hint: did you mean `basement`?

            /etc/hw/headwater.toml:10:32: `b2` is required twice
              10 | required = ['b2', 'bassement', 'b2', 'glacier']
                 |                                ^^^^
            hint: once is enough: take it away

            /etc/hw/headwater.toml:10:38: `glacier` is the archive, which holds no packages
              10 | required = ['b2', 'bassement', 'b2', 'glacier']
                 |                                      ^^^^^^^^^
            hint: take it away here, or from `publish.archive`"#]],
    );
    check(
        TWO,
        &[
            ("HEADWATER_PUBLISH_REQUIRED", "b3,elsewhere,"),
            ("HEADWATER_PUBLISH_ARCHIVE", "glacier"),
        ],
        expect![[r#"
            HEADWATER_PUBLISH_REQUIRED: `publish.required` is empty instead of the name of an origin
            hint: for example `HEADWATER_PUBLISH_REQUIRED=basement,b2` (origins that must prove a package before viewers get it, best first; with commas between them in a variable; when left out, all origins but the archive)"#]],
    );
    check(
        TWO,
        &[
            ("HEADWATER_PUBLISH_REQUIRED", "basement,b3,basement"),
            ("HEADWATER_PUBLISH_ARCHIVE", "glacier"),
        ],
        expect![[r#"
            HEADWATER_PUBLISH_ARCHIVE: there is no origin `glacier`
            hint: known: `b2`, `basement`

            HEADWATER_PUBLISH_REQUIRED: there is no origin `b3`
            hint: did you mean `b2`?

            HEADWATER_PUBLISH_REQUIRED: `basement` is required twice
            hint: once is enough: take it away"#]],
    );
    check(
        "[publish]\nrequired = 'b2'\narchive = ['b2']\n",
        &[],
        expect![[r#"
            /etc/hw/headwater.toml:2:12: `publish.required` must be an array, not a string
              2 | required = 'b2'
                |            ^^^^

            /etc/hw/headwater.toml:3:11: `publish.archive` must be a string in quotes, not an array
              3 | archive = ['b2']
                |           ^^^^^^"#]],
    );
    check(
        "[publish]\nrequired = ['b2', 7]\narchive = ''\n",
        &[],
        expect![[r#"
        /etc/hw/headwater.toml:2:19: `publish.required` must be a string in quotes, not a whole number
          2 | required = ['b2', 7]
            |                   ^

        /etc/hw/headwater.toml:3:11: `publish.archive` is empty instead of the name of an origin
          3 | archive = ''
            |           ^^
        hint: for example `archive = "glacier"` (origin that keeps masters, and no packages; when left out, there is no archive)"#]],
    );
}

#[test]
fn an_archive_alone_holds_no_packages() {
    check(
        "[publish]\narchive = 'local'\n",
        &[],
        expect![[r#"
        /etc/hw/headwater.toml:2:11: `local` is the only origin, and an archive holds no packages
          2 | archive = 'local'
            |           ^^^^^^^
        hint: add an origin for the packages: `[origins.NAME]`"#]],
    );
    check(
        "[publish]\narchive = 'local'\nrequired = ['local']\n",
        &[],
        expect![[r#"
        /etc/hw/headwater.toml:2:11: `local` is the only origin, and an archive holds no packages
          2 | archive = 'local'
            |           ^^^^^^^
        hint: add an origin for the packages: `[origins.NAME]`

        /etc/hw/headwater.toml:3:13: `local` is the archive, which holds no packages
          3 | required = ['local']
            |             ^^^^^^^
        hint: take it away here, or from `publish.archive`"#]],
    );
}

#[test]
fn copies_from_the_required_to_all_there_are() {
    check(
        &format!("{TWO}[publish]\nmin_copies = 1\n"),
        &[],
        expect![[r#"
        /etc/hw/headwater.toml:7:14: 1 is less than the 2 origins that are required
          7 | min_copies = 1
            |              ^
        hint: `min_copies = 2`, or require fewer"#]],
    );
    check(
        TWO,
        &[("HEADWATER_PUBLISH_MIN_COPIES", "3")],
        expect![[r#"
        HEADWATER_PUBLISH_MIN_COPIES: 3 is more than there are origins for packages: 2
        hint: `HEADWATER_PUBLISH_MIN_COPIES=2`, or add origins"#]],
    );
    check(
        &format!("{THREE}[publish]\narchive = 'b2'\nmin_copies = 3\n"),
        &[],
        expect![[r#"
        /etc/hw/headwater.toml:11:14: 3 is more than there are origins for packages: 2
          11 | min_copies = 3
             |              ^
        hint: `min_copies = 2`, or add origins"#]],
    );
    check(
        "[publish]\nmin_copies = 0\n",
        &[("HEADWATER_PUBLISH_MIN_COPIES", "two")],
        expect![[r#"
            /etc/hw/headwater.toml:2:14: min_copies = 0 is outside 1 to 16
              2 | min_copies = 0
                |              ^
            hint: for example `min_copies = 2` (how many origins must prove it, the required ones included; when left out, the number of required ones, at least 1)

            HEADWATER_PUBLISH_MIN_COPIES: `two` is not a whole number from 1 to 16
            hint: for example `HEADWATER_PUBLISH_MIN_COPIES=2` (how many origins must prove it, the required ones included; when left out, the number of required ones, at least 1)"#]],
    );
}

#[test]
fn a_proof_through_the_edge_needs_an_edge() {
    let edge = "edge_url = 'https://cdn.example'\n";
    let verify = "[publish]\nverify = 'edge'\n";
    let proven = config(&format!("{TWO}{edge}{verify}"), &[]);
    assert_eq!(proven.policy.verify, headwater_model::origin::Verify::Edge);
    check(
        &format!("{TWO}{verify}"),
        &[],
        expect![[r#"
        /etc/hw/headwater.toml:7:10: no origin with packages has an edge to prove anything through
          7 | verify = 'edge'
            |          ^^^^^^
        hint: add `edge_url` to an origin, for example `edge_url = "https://cdn.example.org"`"#]],
    );
    // That of an archive proves nothing about packages.
    check(
        &format!("{THREE}{edge}{verify}archive = 'glacier'\n"),
        &[],
        expect![[r#"
        /etc/hw/headwater.toml:11:10: no origin with packages has an edge to prove anything through
          11 | verify = 'edge'
             |          ^^^^^^
        hint: add `edge_url` to an origin, for example `edge_url = "https://cdn.example.org"`"#]],
    );
    check(
        "",
        &[("HEADWATER_PUBLISH_VERIFY", "listings")],
        expect![[r#"
        HEADWATER_PUBLISH_VERIFY: `listings` is no kind of proof
        hint: did you mean `listing`?"#]],
    );
}

#[test]
fn bad_values_of_an_audit() {
    check(
        "[audit]\nlist_days = 0\nread_days = 0.001\nrequests_per_second = 0\nmegabytes_per_second = 1.5\nheal = 'maybe'\n",
        &[
            ("HEADWATER_AUDIT_LIST_DAYS", "366"),
            ("HEADWATER_AUDIT_READ_DAYS", "-1"),
            ("HEADWATER_AUDIT_REQUESTS_PER_SECOND", "10001"),
            ("HEADWATER_AUDIT_MEGABYTES_PER_SECOND", "x"),
            ("HEADWATER_AUDIT_HEAL", "auto"),
        ],
        expect![[r#"
            /etc/hw/headwater.toml:2:13: list_days = 0 is outside 0.01 to 365
              2 | list_days = 0
                |             ^
            hint: for example `list_days = 1` (every object of every live title is listed at least this often, in days, 0.01 to 365; when left out, 7)

            /etc/hw/headwater.toml:3:13: `audit.read_days` is less than 0.01 and not 0
              3 | read_days = 0.001
                |             ^^^^^
            hint: for example `read_days = 30` (every byte of every live title is read back at least this often, in days, 0.01 to 3650; 0 is never; when left out, 90)

            /etc/hw/headwater.toml:4:23: requests_per_second = 0 is outside 1 to 10000
              4 | requests_per_second = 0
                |                       ^
            hint: for example `requests_per_second = 10` (requests that the audit may send to an origin in a second, 1 to 10000; when left out, 50)

            /etc/hw/headwater.toml:5:24: `audit.megabytes_per_second` must be a whole number, not a number with decimals
              5 | megabytes_per_second = 1.5
                |                        ^^^

            /etc/hw/headwater.toml:6:8: `maybe` is no way to heal
              6 | heal = 'maybe'
                |        ^^^^^^^
            hint: known: `automatic`, `manual`

            HEADWATER_AUDIT_LIST_DAYS: `366` is not a number from 0.01 to 365
            hint: for example `HEADWATER_AUDIT_LIST_DAYS=1` (every object of every live title is listed at least this often, in days, 0.01 to 365; when left out, 7)

            HEADWATER_AUDIT_READ_DAYS: `-1` is not a number from 0 to 3650
            hint: for example `HEADWATER_AUDIT_READ_DAYS=30` (every byte of every live title is read back at least this often, in days, 0.01 to 3650; 0 is never; when left out, 90)

            HEADWATER_AUDIT_REQUESTS_PER_SECOND: `10001` is not a whole number from 1 to 10000
            hint: for example `HEADWATER_AUDIT_REQUESTS_PER_SECOND=10` (requests that the audit may send to an origin in a second, 1 to 10000; when left out, 50)

            HEADWATER_AUDIT_MEGABYTES_PER_SECOND: `x` is not a whole number from 1 to 10000
            hint: for example `HEADWATER_AUDIT_MEGABYTES_PER_SECOND=5` (megabytes that the audit may read from an origin in a second, 1 to 10000; when left out, 20)

            HEADWATER_AUDIT_HEAL: `auto` is no way to heal
            hint: known: `automatic`, `manual`"#]],
    );
}
