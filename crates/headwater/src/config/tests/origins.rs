//! Origins: what may be left out, what does not go together, and where they must not lie.

use super::*;

/// The settings of an origin that is a bucket.
pub(super) fn s3<'c>(config: &'c Config, name: &str) -> &'c S3Settings {
    match &config.origins.iter().find(|o| o.name == name).unwrap().kind {
        OriginKind::S3(settings) => settings,
        OriginKind::Directory { path, .. } => panic!("{path:?}"),
    }
}

fn names(config: &Config) -> Vec<&str> {
    config.origins.iter().map(|o| o.name.as_str()).collect()
}

#[test]
fn what_is_configured_replaces_the_local_origin() {
    assert_eq!(names(&config("", &[])), ["local"]);
    assert_eq!(names(&config("[publish]\nrequired = ['local']\n", &[])), ["local"]);
    assert_eq!(names(&config("[origins.b2]\n[origins.basement]\n", &[])), ["b2", "basement"]);
    let both = config("data_dir = '/d'\n[origins.local]\n[origins.other]\n", &[]);
    assert_eq!(path_of(&both, "local"), "/d/origin");
    assert_eq!(path_of(&both, "other"), "/d/origins/other");
}

#[test]
fn a_variable_may_bring_in_an_origin() {
    let pairs = [
        ("HEADWATER_DATA_DIR", "/d"),
        ("HEADWATER_ORIGINS_B2_WEST_KIND", "s3"),
        ("HEADWATER_ORIGINS_B2_WEST_BUCKET", "films"),
        ("HEADWATER_ORIGINS_ATTIC_KIND", "directory"),
        ("HEADWATER_ORIGINS_EMPTY_PATH", ""),
        ("HEADWATER_PUBLISH_REQUIRED", "b2-west, attic"),
    ];
    let config = config("[origins.basement]\n", &pairs);
    assert_eq!(names(&config), ["attic", "b2-west", "basement"]);
    assert_eq!(s3(&config, "b2-west").bucket, "films");
    assert_eq!(path_of(&config, "attic"), "/d/origins/attic");
    assert_eq!(config.policy.origins, ["b2-west", "attic", "basement"]);
}

#[test]
fn a_variable_finds_the_origin_of_the_file() {
    let file = "[origins.b2-west]\nkind = 's3'\nbucket = 'films'\nregion = 'west'\n";
    let config = config(file, &[("HEADWATER_ORIGINS_B2_WEST_BUCKET", "others")]);
    assert_eq!(names(&config), ["b2-west"]);
    let west = s3(&config, "b2-west");
    assert_eq!((west.bucket.as_str(), west.region.as_deref()), ("others", Some("west")));
}

#[test]
fn the_path_follows_whether_there_is_an_endpoint() {
    let style = |more: &str| {
        s3(&config(&format!("[origins.a]\nkind = 's3'\nbucket = 'b'\n{more}"), &[]), "a").path_style
    };
    assert!(!style(""));
    assert!(style("endpoint = 'http://127.0.0.1:9000'"));
    assert!(!style("endpoint = 'http://127.0.0.1:9000'\npath_style = false"));
    assert!(style("path_style = true"));
}

#[test]
fn a_prefix_ends_in_a_slash_and_starts_with_none() {
    let prefix = |text| {
        let pairs = [
            ("HEADWATER_ORIGINS_A_KIND", "s3"),
            ("HEADWATER_ORIGINS_A_BUCKET", "b"),
            ("HEADWATER_ORIGINS_A_PREFIX", text),
        ];
        s3(&config("", &pairs), "a").prefix.clone()
    };
    for (text, expected) in
        [("", ""), ("/", ""), ("a", "a/"), ("/a/", "a/"), ("a/b", "a/b/"), ("//é v//", "é v/")]
    {
        assert_eq!(prefix(text), expected, "{text}");
    }
}

#[test]
fn an_edge_may_be_purged() {
    let file = "[origins.local]\npublic_url = 'https://media.example/'\nedge_url = 'https://cdn.example/'\n";
    let plain = config(file, &[]);
    expect![[r#"
        [
            Origin {
                name: "local",
                kind: Directory {
                    path: "headwater-data/origin",
                    public_url: Some(
                        "https://media.example",
                    ),
                },
                edge: Some(
                    Edge {
                        url: "https://cdn.example",
                        purge: None,
                    },
                ),
            },
        ]
    "#]]
    .assert_debug_eq(&plain.origins);
    let token = ("HEADWATER_ORIGINS_LOCAL_PURGE_TOKEN", "hush-hush");
    let purged = config(&format!("{file}purge_method = 'purge'\n"), &[token]);
    let purge = purged.origins[0].edge.clone().unwrap().purge.unwrap();
    assert_eq!((purge.method.as_str(), purge.url, purge.body), ("PURGE", None, None));
    assert_eq!(purge.token.unwrap().expose(), "hush-hush");
}

#[test]
fn keys_belong_to_a_kind() {
    check(
        "[origins.basement]\npath = '/b'\nbucket = 'films'\n[origins.b2]\nkind = 's3'\nbucket = 'films'\npath = '/p'\n",
        &[
            ("HEADWATER_ORIGINS_BASEMENT_PATH_STYLE", "true"),
            ("HEADWATER_ORIGINS_BASEMENT_ACCESS_KEY_ID", "hush-hush"),
            ("HEADWATER_ORIGINS_B2_PATH", "/q"),
        ],
        expect![[r#"
            /etc/hw/headwater.toml:3:1: `origins.basement.bucket` means nothing to an origin of kind `directory`
              3 | bucket = 'films'
                | ^^^^^^
            hint: take it away, or say `kind = "s3"`

            /etc/hw/headwater.toml:7:1: `origins.b2.path` means nothing to an origin of kind `s3`
              7 | path = '/p'
                | ^^^^
            hint: take it away, or say `kind = "directory"`

            HEADWATER_ORIGINS_B2_PATH: means nothing to an origin of kind `s3`
            hint: take it away, or say `HEADWATER_ORIGINS_B2_KIND=directory`

            HEADWATER_ORIGINS_BASEMENT_ACCESS_KEY_ID: means nothing to an origin of kind `directory`
            hint: take it away, or say `HEADWATER_ORIGINS_BASEMENT_KIND=s3`

            HEADWATER_ORIGINS_BASEMENT_PATH_STYLE: means nothing to an origin of kind `directory`
            hint: take it away, or say `HEADWATER_ORIGINS_BASEMENT_KIND=s3`"#]],
    );
    // The variable makes a bucket of what is a folder in the file.
    check(
        "[origins.basement]\npath = '/b'\n",
        &[("HEADWATER_ORIGINS_BASEMENT_KIND", "s3"), ("HEADWATER_ORIGINS_BASEMENT_BUCKET", "b")],
        expect![[r#"
            /etc/hw/headwater.toml:2:1: `origins.basement.path` means nothing to an origin of kind `s3`
              2 | path = '/b'
                | ^^^^
            hint: take it away, or say `kind = "directory"`"#]],
    );
}

#[test]
fn a_bucket_is_missing() {
    check(
        "[origins.b2]\nkind = 's3'\nregion = 'west'\n",
        &[],
        expect![[r#"
        /etc/hw/headwater.toml:2:8: `origins.b2.bucket` is missing
          2 | kind = 's3'
            |        ^^^^
        hint: add `bucket = "films"`"#]],
    );
    check(
        "",
        &[("HEADWATER_ORIGINS_B2_WEST_KIND", "s3")],
        expect![[r#"
        HEADWATER_ORIGINS_B2_WEST_KIND: `HEADWATER_ORIGINS_B2_WEST_BUCKET` is missing
        hint: add `HEADWATER_ORIGINS_B2_WEST_BUCKET=films`"#]],
    );
    // One mistake, not two.
    check(
        "[origins.b2]\nkind = 's3'\nbuckt = 'films'\n",
        &[],
        expect![[r#"
        /etc/hw/headwater.toml:3:1: unknown key `origins.b2.buckt`
          3 | buckt = 'films'
            | ^^^^^
        hint: did you mean `bucket`?"#]],
    );
}

#[test]
fn a_purge_needs_an_edge() {
    check(
        "[origins.local]\npurge_method = 'PURGE'\n\
         [origins.other]\nedge_url = 'https://cdn.example'\npurge_url = 'https://api.example'\npurge_body = '{url}'\n",
        &[("HEADWATER_ORIGINS_OTHER_PURGE_TOKEN", "hush-hush")],
        expect![[r#"
            /etc/hw/headwater.toml:2:1: `origins.local.purge_method` means nothing without `origins.local.edge_url`
              2 | purge_method = 'PURGE'
                | ^^^^^^^^^^^^
            hint: take it away, or say for example `edge_url = "https://cdn.example.org/packages"`

            /etc/hw/headwater.toml:5:1: `origins.other.purge_url` means nothing without `origins.other.purge_method`
              5 | purge_url = 'https://api.example'
                | ^^^^^^^^^
            hint: take it away, or say for example `purge_method = "PURGE"`

            /etc/hw/headwater.toml:6:1: `origins.other.purge_body` means nothing without `origins.other.purge_method`
              6 | purge_body = '{url}'
                | ^^^^^^^^^^
            hint: take it away, or say for example `purge_method = "PURGE"`

            HEADWATER_ORIGINS_OTHER_PURGE_TOKEN: means nothing without `HEADWATER_ORIGINS_OTHER_PURGE_METHOD`
            hint: take it away, or say for example `HEADWATER_ORIGINS_OTHER_PURGE_METHOD=PURGE`"#]],
    );
}

#[test]
fn names_of_origins() {
    let long = "a".repeat(65);
    check(
        &format!(
            "[origins.B2]\n[origins.-a]\n[origins.a_b]\n[origins.'']\n[origins.{long}]\n[origins.'ä']\n"
        ),
        &[("HEADWATER_ORIGINS_b2_KIND", "s3"), ("HEADWATER_ORIGINS__KIND", "s3")],
        expect![[r#"
            /etc/hw/headwater.toml:1:10: `B2` cannot be the name of an origin
              1 | [origins.B2]
                |          ^^
            hint: use 1 to 64 of a-z, 0-9 and -, and start with a letter or digit

            /etc/hw/headwater.toml:2:10: `-a` cannot be the name of an origin
              2 | [origins.-a]
                |          ^^
            hint: use 1 to 64 of a-z, 0-9 and -, and start with a letter or digit

            /etc/hw/headwater.toml:3:10: `a_b` cannot be the name of an origin
              3 | [origins.a_b]
                |          ^^^
            hint: use 1 to 64 of a-z, 0-9 and -, and start with a letter or digit

            /etc/hw/headwater.toml:4:10: `` cannot be the name of an origin
              4 | [origins.'']
                |          ^^
            hint: use 1 to 64 of a-z, 0-9 and -, and start with a letter or digit

            /etc/hw/headwater.toml:5:10: `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa` cannot be the name of an origin
              5 | [origins.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]
                |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
            hint: use 1 to 64 of a-z, 0-9 and -, and start with a letter or digit

            /etc/hw/headwater.toml:6:10: `ä` cannot be the name of an origin
              6 | [origins.'ä']
                |          ^^^
            hint: use 1 to 64 of a-z, 0-9 and -, and start with a letter or digit

            HEADWATER_ORIGINS__KIND: unknown environment variable
            hint: did you mean `HEADWATER_ORIGINS_NAME_KIND`?

            HEADWATER_ORIGINS_b2_KIND: unknown environment variable
            hint: did you mean `HEADWATER_ORIGINS_B2_KIND`?"#]],
    );
    assert_eq!(names(&config(&format!("[origins.{}]\n[origins.4-]\n", &long[1..]), &[])).len(), 2);
}

#[test]
fn an_origin_has_a_section_of_its_own() {
    check(
        "[origin]\nname = 'basement'\npath = '/srv/packages'\n",
        &[],
        expect![[r#"
        /etc/hw/headwater.toml:1:2: unknown key `origin`
          1 | [origin]
            |  ^^^^^^
        hint: every origin has a section with a name of its own: `[origins.NAME]`, for example `[origins.basement]`"#]],
    );
    check(
        "[origins]\nkind = 's3'\nb2 = 'films'\n",
        &[],
        expect![[r#"
            /etc/hw/headwater.toml:2:1: `kind` stands outside of any origin
              2 | kind = 's3'
                | ^^^^
            hint: every origin has a section with a name of its own: `[origins.NAME]`, for example `[origins.basement]`

            /etc/hw/headwater.toml:3:6: `origins.b2` must be a table, not a string
              3 | b2 = 'films'
                |      ^^^^^^^"#]],
    );
    check(
        "[[origins]]\nname = 'b2'\n",
        &[],
        expect![[r#"
        /etc/hw/headwater.toml:1:1: `origins` must be a table, not an array
          1 | [[origins]]
            | ^^^^^^^^^^^"#]],
    );
    check(
        "",
        &[("HEADWATER_ORIGIN_PATH", "/srv/packages")],
        expect![[r#"
        HEADWATER_ORIGIN_PATH: unknown environment variable
        hint: did you mean `HEADWATER_ORIGINS_NAME_PATH`?"#]],
    );
}

#[test]
fn bad_values_of_an_origin_in_the_file() {
    check(
        "[origins.a]\nkind = 'S4'\npath = 7\nbucket = 'a/b'\nendpoint = 'b2.example'\nregion = ''\nprefix = 'a//b'\n\
         path_style = 'true'\nstorage_class = 'ONE TWO'\npublic_url = 'ftp://a'\nedge_url = 'https://a?b'\n\
         purge_method = 'PURGE /'\npurge_url = 'https://a b'\npurge_body = ''\ncolour = 'red'\n",
        &[],
        expect![[r#"
            /etc/hw/headwater.toml:2:8: `S4` is no kind of origin
              2 | kind = 'S4'
                |        ^^^^
            hint: did you mean `s3`?

            /etc/hw/headwater.toml:3:8: `origins.a.path` must be a string in quotes, not a whole number
              3 | path = 7
                |        ^

            /etc/hw/headwater.toml:4:10: `a/b` is not the name of a bucket
              4 | bucket = 'a/b'
                |          ^^^^^
            hint: for example `bucket = "films"` (bucket of an S3 origin; when left out, an error: an S3 origin needs one)

            /etc/hw/headwater.toml:5:12: `b2.example` is not the address of a site
              5 | endpoint = 'b2.example'
                |            ^^^^^^^^^^^^
            hint: for example `endpoint = "https://s3.us-west-004.backblazeb2.com"` (address of the service that an S3 origin is on; when left out, AWS itself)

            /etc/hw/headwater.toml:6:10: `origins.a.region` is empty instead of the name of a region
              6 | region = ''
                |          ^^
            hint: for example `region = "us-west-004"` (region that requests to an S3 origin are signed for; when left out, `us-east-1`, which services without regions take)

            /etc/hw/headwater.toml:7:10: `a//b` is not the start of a key
              7 | prefix = 'a//b'
                |          ^^^^^^
            hint: for example `prefix = "packages"` (what comes before every key in the bucket of an S3 origin, with or without a slash at its end; when left out, nothing)

            /etc/hw/headwater.toml:8:14: `origins.a.path_style` must be true or false, not a string
              8 | path_style = 'true'
                |              ^^^^^^
            hint: take the quotes away

            /etc/hw/headwater.toml:9:17: `ONE TWO` is not a storage class
              9 | storage_class = 'ONE TWO'
                |                 ^^^^^^^^^
            hint: for example `storage_class = "STANDARD_IA"` (storage class of what is stored on an S3 origin; when left out, the service's own)

            /etc/hw/headwater.toml:10:14: `ftp://a` is not the address of a site
              10 | public_url = 'ftp://a'
                 |              ^^^^^^^^^
            hint: for example `public_url = "https://media.example.org"` (address under which players find the objects of the origin; `prefix` and keys come behind it; when left out, the bucket's own address, or the path of the folder)

            /etc/hw/headwater.toml:11:12: `https://a?b` is not the address of a site
              11 | edge_url = 'https://a?b'
                 |            ^^^^^^^^^^^^^
            hint: for example `edge_url = "https://cdn.example.org/packages"` (address of the CDN in front of the origin, for the proof through the edge and for purges; keys come behind it without `prefix`, so where the CDN's root is the bucket's root, it ends in the prefix; when left out, there is no CDN)

            /etc/hw/headwater.toml:12:16: `PURGE /` is not an HTTP method
              12 | purge_method = 'PURGE /'
                 |                ^^^^^^^^^
            hint: for example `purge_method = "PURGE"` (HTTP method, in letters, with which a stale object is purged from the CDN; when left out, nothing is purged)

            /etc/hw/headwater.toml:13:13: `https://a b` is not an address
              13 | purge_url = 'https://a b'
                 |             ^^^^^^^^^^^^^
            hint: for example `purge_url = "https://api.example.org/purge"` (where purges are sent; when left out, the object's own address on the CDN)

            /etc/hw/headwater.toml:14:14: `origins.a.purge_body` is empty instead of a body
              14 | purge_body = ''
                 |              ^^
            hint: for example `purge_body = '{"files":["{url}"]}'` (body of a purge, in which `{url}` stands for the object's address on the CDN; when left out, a purge has no body)

            /etc/hw/headwater.toml:15:1: unknown key `origins.a.colour`
              15 | colour = 'red'
                 | ^^^^^^
            hint: known: `kind`, `path`, `bucket`, `endpoint`, `region`, `prefix`, `path_style`, `storage_class`, `public_url`, `edge_url`, `purge_method`, `purge_url`, `purge_body`"#]],
    );
}

#[test]
fn bad_values_of_an_origin_in_the_environment() {
    check(
        "",
        &[
            ("HEADWATER_ORIGINS_A_B_KIND", "S4"),
            ("HEADWATER_ORIGINS_A_B_PATH", " "),
            ("HEADWATER_ORIGINS_A_B_BUCKET", "é"),
            ("HEADWATER_ORIGINS_A_B_ENDPOINT", "https:///x"),
            ("HEADWATER_ORIGINS_A_B_PREFIX", "../a"),
            ("HEADWATER_ORIGINS_A_B_PATH_STYLE", "yes"),
            ("HEADWATER_ORIGINS_A_B_PUBLIC_URL", "https://a\nb"),
            ("HEADWATER_ORIGINS_A_B_PURGE_METHOD", "PURGE1"),
            ("HEADWATER_ORIGINS_A_B_PURGE_URL", "a"),
            ("HEADWATER_ORIGINS_A_B_COLOUR", "red"),
            ("HEADWATER_ORIGINS_A_B_REGOIN", "west"),
        ],
        expect![[r#"
            HEADWATER_ORIGINS_A_B_COLOUR: unknown environment variable
            hint: known: `HEADWATER_ORIGINS_NAME_` with one of KIND, PATH, BUCKET, ENDPOINT, REGION, PREFIX, PATH_STYLE, STORAGE_CLASS, PUBLIC_URL, EDGE_URL, PURGE_METHOD, PURGE_URL, PURGE_BODY, ACCESS_KEY_ID, SECRET_ACCESS_KEY, SESSION_TOKEN, PURGE_TOKEN

            HEADWATER_ORIGINS_A_B_REGOIN: unknown environment variable
            hint: did you mean `HEADWATER_ORIGINS_A_B_REGION`?

            HEADWATER_ORIGINS_A_B_KIND: `S4` is no kind of origin
            hint: did you mean `s3`?

            HEADWATER_ORIGINS_A_B_PATH: `origins.a-b.path` is empty instead of a path
            hint: for example `HEADWATER_ORIGINS_A_B_PATH=/srv/packages` (folder that holds the objects of a directory origin; when left out, `origins/a-b` in `data_dir`, or `origin` there for the origin `local`)

            HEADWATER_ORIGINS_A_B_BUCKET: `é` is not the name of a bucket
            hint: for example `HEADWATER_ORIGINS_A_B_BUCKET=films` (bucket of an S3 origin; when left out, an error: an S3 origin needs one)

            HEADWATER_ORIGINS_A_B_ENDPOINT: `https:///x` is not the address of a site
            hint: for example `HEADWATER_ORIGINS_A_B_ENDPOINT=https://s3.us-west-004.backblazeb2.com` (address of the service that an S3 origin is on; when left out, AWS itself)

            HEADWATER_ORIGINS_A_B_PREFIX: `../a` is not the start of a key
            hint: for example `HEADWATER_ORIGINS_A_B_PREFIX=packages` (what comes before every key in the bucket of an S3 origin, with or without a slash at its end; when left out, nothing)

            HEADWATER_ORIGINS_A_B_PATH_STYLE: `yes` is neither `true` nor `false`
            hint: for example `HEADWATER_ORIGINS_A_B_PATH_STYLE=false` (whether the bucket of an S3 origin stands in the path of an address (`true`) or in the name of its host (`false`); when left out, `true` with an `endpoint`, else `false`)

            HEADWATER_ORIGINS_A_B_PUBLIC_URL: `https://a
            b` is not the address of a site
            hint: for example `HEADWATER_ORIGINS_A_B_PUBLIC_URL=https://media.example.org` (address under which players find the objects of the origin; `prefix` and keys come behind it; when left out, the bucket's own address, or the path of the folder)

            HEADWATER_ORIGINS_A_B_PURGE_METHOD: `PURGE1` is not an HTTP method
            hint: for example `HEADWATER_ORIGINS_A_B_PURGE_METHOD=PURGE` (HTTP method, in letters, with which a stale object is purged from the CDN; when left out, nothing is purged)

            HEADWATER_ORIGINS_A_B_PURGE_URL: `a` is not an address
            hint: for example `HEADWATER_ORIGINS_A_B_PURGE_URL=https://api.example.org/purge` (where purges are sent; when left out, the object's own address on the CDN)"#]],
    );
}

#[test]
fn origins_that_lie_in_each_other() {
    check(
        "[origins.a]\npath = '/srv'\n[origins.b]\npath = '/srv/b'\n[origins.c]\npath = '/srv/b'\n[origins.d]\npath = '/srv2'\n",
        &[],
        expect![[r#"
            `origins.b.path` (`/srv/b`) lies in `origins.a.path` (`/srv`)
            hint: two origins in one place are but one copy: keep them apart

            `origins.c.path` (`/srv/b`) lies in `origins.a.path` (`/srv`)
            hint: two origins in one place are but one copy: keep them apart

            `origins.b.path` (`/srv/b`) lies in `origins.c.path` (`/srv/b`)
            hint: two origins in one place are but one copy: keep them apart"#]],
    );
    check(
        "[watch]\nfolder = '/srv/drop'\n[origins.a]\npath = '/srv'\n[origins.b]\npath = '/srv/drop/b'\n",
        &[],
        expect![[r#"
            `watch.folder` (`/srv/drop`) lies in `origins.a.path` (`/srv`)
            hint: masters would be mistaken for packages, or packages for masters: keep the folders apart

            `origins.b.path` (`/srv/drop/b`) lies in `watch.folder` (`/srv/drop`)
            hint: masters would be mistaken for packages, or packages for masters: keep the folders apart

            `origins.b.path` (`/srv/drop/b`) lies in `origins.a.path` (`/srv`)
            hint: two origins in one place are but one copy: keep them apart"#]],
    );
    let s3 =
        |name: &str, more: &str| format!("[origins.{name}]\nkind = 's3'\nbucket = 'x'\n{more}\n");
    let masters = s3("b", "prefix = 'masters'");
    check(
        &format!("{}{masters}", s3("a", "")),
        &[],
        expect![[r#"
        `origins.a` (`x/`) and `origins.b` (`x/masters/`) share a bucket and lie in each other
        hint: two origins in one place are but one copy: keep them apart"#]],
    );
    config(&format!("{}{masters}", s3("a", "prefix = 'master'")), &[]);
    config(&format!("{}{masters}", s3("a", "endpoint = 'http://127.0.0.1:9000'")), &[]);
}
