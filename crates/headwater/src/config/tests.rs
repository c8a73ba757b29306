//! Each source alone, each over the others, and every mistake that can be made in them.

mod database;
mod flags;
mod masters;
mod origins;
mod places;
mod publish;
mod secrets;

use expect_test::{Expect, expect};

use super::*;
use crate::env_vars::OTHERS;
use crate::env_vars::tests::{Example, example_file, examples};

const SLOTS: NonZeroUsize = NonZeroUsize::new(2).unwrap();

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

fn try_config(file: &str, pairs: &[(&str, &str)]) -> Result<Config, String> {
    resolve(
        Some((Path::new("/etc/hw/headwater.toml"), file)),
        &variables(pairs),
        &Flags::default(),
        SLOTS,
    )
    .map_err(|complaints| ConfigError::Invalid(complaints).to_string())
}

fn config(file: &str, pairs: &[(&str, &str)]) -> Config {
    try_config(file, pairs).unwrap_or_else(|complaints| panic!("{complaints}"))
}

/// What is said about a file and variables that are not good.
fn check(file: &str, pairs: &[(&str, &str)], expected: Expect) {
    let complaints = try_config(file, pairs).map(|config| format!("fine: {config:?}"));
    expected.assert_eq(&complaints.unwrap_or_else(|complaints| complaints));
}

/// The folder of an origin that is one.
fn path_of<'c>(config: &'c Config, name: &str) -> &'c str {
    match &config.origins.iter().find(|o| o.name == name).unwrap().kind {
        OriginKind::Directory { path, .. } => path.to_str().unwrap(),
        OriginKind::S3(settings) => panic!("{settings:?}"),
    }
}

/// A configuration as text: the settings of a bucket cannot be compared, and secrets are not seen.
fn shown(config: &Config) -> String {
    format!("{config:#?}")
}

#[test]
fn nothing_at_all_works_in_the_current_folder() {
    let config = resolve(None, &BTreeMap::new(), &Flags::default(), SLOTS).unwrap();
    expect![[r#"
        Config {
            data_dir: "headwater-data",
            database: None,
            tenant: Tenant(
                "main",
            ),
            pipeline: "vod-h264",
            pipelines_dir: None,
            watch: Watch {
                folder: "headwater-data/drop",
                settle: 5s,
                rescan: 10s,
                buckets: [],
                poll: 60s,
            },
            worker: Worker {
                slots: 2,
                pool: "cpu",
                name: None,
                drain: 20s,
                transcoder: Limits {
                    silence: 120s,
                    memory_mb: None,
                },
            },
            origins: [
                Origin {
                    name: "local",
                    kind: Directory {
                        path: "headwater-data/origin",
                        public_url: None,
                    },
                    edge: None,
                },
            ],
            masters: [],
            policy: Policy {
                origins: [
                    "local",
                ],
                required: [
                    "local",
                ],
                min_copies: 1,
                archive: None,
                verify: Listing,
            },
            audit: Audit {
                list: 604800s,
                read: Some(
                    7776000s,
                ),
                requests_per_second: 50,
                megabytes_per_second: 20,
                heal: Automatic,
            },
            http: Http {
                listen: 127.0.0.1:8080,
                public_url: None,
                health_listen: None,
            },
            log: Log {
                filter: None,
                format: Text,
            },
            warnings: [],
        }
    "#]]
    .assert_debug_eq(&config);
}

#[test]
fn an_empty_file_says_nothing() {
    let nothing = shown(&resolve(None, &BTreeMap::new(), &Flags::default(), SLOTS).unwrap());
    assert_eq!(shown(&config("", &[])), nothing);
    assert_eq!(
        shown(&config("[watch]\n[log]\n[publish]\n[origins]\n[origins.local]\n", &[])),
        nothing
    );
}

#[test]
fn the_file_sets_everything() {
    expect![[r#"
        Config {
            data_dir: "/var/lib/headwater",
            database: Some(
                PostgresOptions(db.internal:5432/headwater),
            ),
            tenant: Tenant(
                "station-1",
            ),
            pipeline: "copy",
            pipelines_dir: Some(
                "/etc/headwater/pipelines",
            ),
            watch: Watch {
                folder: "/srv/aspera/incoming",
                settle: 30s,
                rescan: 60s,
                buckets: [
                    Folder {
                        bucket: "inbox",
                        prefix: "suppliers/",
                    },
                ],
                poll: 300s,
            },
            worker: Worker {
                slots: 4,
                pool: "cpu-large",
                name: Some(
                    "render-3",
                ),
                drain: 120s,
                transcoder: Limits {
                    silence: 600s,
                    memory_mb: Some(
                        4096,
                    ),
                },
            },
            origins: [
                Origin {
                    name: "b2",
                    kind: S3(
                        S3Settings {
                            name: "b2",
                            bucket: "films",
                            prefix: "packages/",
                            endpoint: Some(
                                "https://s3.us-west-004.backblazeb2.com",
                            ),
                            region: Some(
                                "us-west-004",
                            ),
                            path_style: false,
                            storage_class: Some(
                                "STANDARD_IA",
                            ),
                            public_url: Some(
                                "https://media.example.org",
                            ),
                            credentials: None,
                        },
                    ),
                    edge: Some(
                        Edge {
                            url: "https://cdn.example.org/packages",
                            purge: Some(
                                Purge {
                                    method: "PURGE",
                                    url: Some(
                                        "https://api.example.org/purge",
                                    ),
                                    body: Some(
                                        "{\"files\":[\"{url}\"]}",
                                    ),
                                    token: None,
                                },
                            ),
                        },
                    ),
                },
                Origin {
                    name: "basement",
                    kind: Directory {
                        path: "/srv/packages",
                        public_url: None,
                    },
                    edge: None,
                },
                Origin {
                    name: "glacier",
                    kind: S3(
                        S3Settings {
                            name: "glacier",
                            bucket: "masters",
                            prefix: "",
                            endpoint: None,
                            region: None,
                            path_style: false,
                            storage_class: Some(
                                "GLACIER_IR",
                            ),
                            public_url: None,
                            credentials: None,
                        },
                    ),
                    edge: None,
                },
            ],
            masters: [
                S3Settings {
                    name: "inbox",
                    bucket: "inbox",
                    prefix: "",
                    endpoint: None,
                    region: None,
                    path_style: false,
                    storage_class: None,
                    public_url: None,
                    credentials: None,
                },
            ],
            policy: Policy {
                origins: [
                    "basement",
                    "b2",
                ],
                required: [
                    "basement",
                    "b2",
                ],
                min_copies: 2,
                archive: Some(
                    "glacier",
                ),
                verify: Read,
            },
            audit: Audit {
                list: 86400s,
                read: Some(
                    2592000s,
                ),
                requests_per_second: 10,
                megabytes_per_second: 5,
                heal: Manual,
            },
            http: Http {
                listen: 0.0.0.0:8080,
                public_url: Some(
                    "https://headwater.example.org",
                ),
                health_listen: Some(
                    0.0.0.0:8081,
                ),
            },
            log: Log {
                filter: Some(
                    "warn,headwater=debug",
                ),
                format: Json,
            },
            warnings: [],
        }
    "#]]
    .assert_debug_eq(&config(&example_file(&examples()), &[]));
}

/// Every example in the file equals the same example in the environment, and leaving it out changes something.
#[test]
fn file_and_environment_say_the_same_by_the_same_rules() {
    let in_file = |examples: &[Example]| try_config(&example_file(examples), &[]);
    let in_variables = |examples: &[Example]| {
        let pairs: Vec<(String, String)> = examples.iter().map(Example::variable).collect();
        let pairs: Vec<(&str, &str)> =
            pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        try_config("", &pairs)
    };
    let all = examples();
    let everything = shown(&in_file(&all).unwrap());
    assert_eq!(everything, shown(&in_variables(&all).unwrap()));
    for n in 0..all.len() {
        let mut others = all.clone();
        let left_out = others.remove(n);
        let key = left_out.setting.key_of(left_out.origin);
        let same = match (in_file(&others), in_variables(&others)) {
            (Ok(file), Ok(variables)) => {
                assert_eq!(shown(&file), shown(&variables), "{key}");
                shown(&file) == everything
            }
            (Err(_), Err(_)) => false,
            (file, variables) => panic!("{key}: {file:?}, but {variables:?}"),
        };
        // These say what holds by default beside the other examples.
        let says_the_default =
            ["origins.basement.kind", "publish.min_copies"].contains(&key.as_str());
        assert_eq!(same, says_the_default, "{key}");
    }
}

#[test]
fn the_environment_overrides_every_key_of_the_file() {
    let other = [
        ("HEADWATER_DATA_DIR", "/other/data"),
        ("HEADWATER_DATABASE", "postgres://other@other/other"),
        ("HEADWATER_TENANT", "other"),
        ("HEADWATER_PIPELINE", "other"),
        ("HEADWATER_PIPELINES_DIR", "/other/pipelines"),
        ("HEADWATER_WATCH_FOLDER", "/other/drop"),
        ("HEADWATER_WATCH_SETTLE_SECONDS", "0.5"),
        ("HEADWATER_WATCH_RESCAN_SECONDS", "1.5"),
        ("HEADWATER_WATCH_BUCKETS", "s3://other-inbox/, s3://other-inbox/a"),
        ("HEADWATER_WATCH_POLL_SECONDS", "1"),
        ("HEADWATER_WORKER_SLOTS", "7"),
        ("HEADWATER_WORKER_POOL", "other"),
        ("HEADWATER_WORKER_NAME", "other"),
        ("HEADWATER_WORKER_DRAIN_SECONDS", "0"),
        ("HEADWATER_WORKER_TRANSCODER_SILENCE_SECONDS", "300"),
        ("HEADWATER_WORKER_TRANSCODER_MEMORY_MB", "2048"),
        ("HEADWATER_ORIGINS_B2_KIND", "s3"),
        ("HEADWATER_ORIGINS_B2_BUCKET", "other"),
        ("HEADWATER_ORIGINS_B2_ENDPOINT", "http://other:9000"),
        ("HEADWATER_ORIGINS_B2_REGION", "other"),
        ("HEADWATER_ORIGINS_B2_PREFIX", "/o/ther/"),
        ("HEADWATER_ORIGINS_B2_PATH_STYLE", "true"),
        ("HEADWATER_ORIGINS_B2_STORAGE_CLASS", "OTHER"),
        ("HEADWATER_ORIGINS_B2_PUBLIC_URL", "http://public.other"),
        ("HEADWATER_ORIGINS_B2_EDGE_URL", "http://edge.other/"),
        ("HEADWATER_ORIGINS_B2_PURGE_METHOD", "other"),
        ("HEADWATER_ORIGINS_B2_PURGE_URL", "http://purge.other/?now"),
        ("HEADWATER_ORIGINS_B2_PURGE_BODY", "other {url}"),
        ("HEADWATER_ORIGINS_BASEMENT_KIND", "directory"),
        ("HEADWATER_ORIGINS_BASEMENT_PATH", "/other/origin"),
        ("HEADWATER_ORIGINS_GLACIER_KIND", "s3"),
        ("HEADWATER_ORIGINS_GLACIER_BUCKET", "other-masters"),
        ("HEADWATER_ORIGINS_GLACIER_STORAGE_CLASS", "OTHER"),
        ("HEADWATER_ORIGINS_INBOX_KIND", "s3"),
        ("HEADWATER_ORIGINS_INBOX_BUCKET", "other-inbox"),
        ("HEADWATER_MASTERS_ORIGINS", "inbox"),
        ("HEADWATER_PUBLISH_REQUIRED", "glacier"),
        ("HEADWATER_PUBLISH_MIN_COPIES", "1"),
        ("HEADWATER_PUBLISH_ARCHIVE", "b2"),
        ("HEADWATER_PUBLISH_VERIFY", "listing"),
        ("HEADWATER_AUDIT_LIST_DAYS", "0.5"),
        ("HEADWATER_AUDIT_READ_DAYS", "0"),
        ("HEADWATER_AUDIT_REQUESTS_PER_SECOND", "1"),
        ("HEADWATER_AUDIT_MEGABYTES_PER_SECOND", "2"),
        ("HEADWATER_AUDIT_HEAL", "automatic"),
        ("HEADWATER_HTTP_LISTEN", "[::1]:1"),
        ("HEADWATER_HTTP_PUBLIC_URL", "http://other"),
        ("HEADWATER_HTTP_HEALTH_LISTEN", "[::1]:2"),
        ("HEADWATER_LOG_FILTER", "error"),
        ("HEADWATER_LOG_FORMAT", "text"),
    ];
    let names: Vec<String> = examples().iter().map(|e| e.variable().0).collect();
    assert_eq!(other.map(|(name, _)| name.to_owned()).to_vec(), names);
    let over_the_file = config(&example_file(&examples()), &other);
    assert_eq!(shown(&over_the_file), shown(&config("", &other)));
}

#[test]
fn one_variable_leaves_the_rest_of_the_file_alone() {
    let file = "[watch]\nfolder = '/a'\nsettle_seconds = 1\nrescan_seconds = 2\n";
    let expected = Watch {
        folder: "/a".into(),
        settle: Duration::from_secs(9),
        rescan: Duration::from_secs(2),
        buckets: Vec::new(),
        poll: Duration::from_mins(1),
    };
    assert_eq!(config(file, &[("HEADWATER_WATCH_SETTLE_SECONDS", "9")]).watch, expected);
}

#[test]
fn an_empty_variable_does_not_clobber_the_file() {
    let file = "tenant = 'a'\n[worker]\nslots = 3\n";
    let pairs = [("HEADWATER_TENANT", ""), ("HEADWATER_WORKER_SLOTS", "")];
    assert_eq!(shown(&config(file, &pairs)), shown(&config(file, &[])));
}

#[test]
fn defaults_in_the_data_folder_follow_whoever_moved_it() {
    for config in [
        config("data_dir = '/d'", &[]),
        config("", &[("HEADWATER_DATA_DIR", "/d")]),
        config("data_dir = '/elsewhere'", &[("HEADWATER_DATA_DIR", "/d")]),
    ] {
        assert_eq!(config.watch.folder, Path::new("/d/drop"));
        assert_eq!(path_of(&config, "local"), "/d/origin");
    }
}

#[test]
fn what_was_said_does_not_follow_the_data_folder() {
    let file = "[watch]\nfolder = '/in'\n[origins.local]\npath = '/out'\n";
    let config = config(file, &[("HEADWATER_DATA_DIR", "/d")]);
    assert_eq!((config.watch.folder.to_str().unwrap(), path_of(&config, "local")), ("/in", "/out"));
}

#[test]
fn relative_paths_start_at_the_file_or_at_the_current_folder() {
    let in_file = config("data_dir = 'data'\npipelines_dir = '../pipelines'", &[]);
    assert_eq!(in_file.data_dir, Path::new("/etc/hw/data"));
    assert_eq!(in_file.pipelines_dir.as_deref(), Some(Path::new("/etc/hw/../pipelines")));
    assert_eq!(config("", &[("HEADWATER_DATA_DIR", "data")]).data_dir, Path::new("data"));
    assert_eq!(config("", &[]).data_dir, Path::new("headwater-data"));
}

#[test]
fn a_public_url_loses_its_last_slash() {
    let url = |text| config("", &[("HEADWATER_HTTP_PUBLIC_URL", text)]).http.public_url.unwrap();
    assert_eq!(url("https://a.example/"), "https://a.example");
    assert_eq!(url("http://a.example:8080/headwater"), "http://a.example:8080/headwater");
}

#[test]
fn unknown_keys_name_the_nearest() {
    check(
        "data_folder = '/d'\ntennant = 'x'\n[wacth]\nfolder = '/in'\n",
        &[],
        expect![[r#"
            /etc/hw/headwater.toml:1:1: unknown key `data_folder`
              1 | data_folder = '/d'
                | ^^^^^^^^^^^
            hint: known: `data_dir`, `database`, `tenant`, `pipeline`, `pipelines_dir`, `watch`, `worker`, `origins`, `masters`, `publish`, `audit`, `http`, `log`

            /etc/hw/headwater.toml:2:1: unknown key `tennant`
              2 | tennant = 'x'
                | ^^^^^^^
            hint: did you mean `tenant`?

            /etc/hw/headwater.toml:3:2: unknown key `wacth`
              3 | [wacth]
                |  ^^^^^
            hint: did you mean `watch`?"#]],
    );
    check(
        "[worker]\nslot = 4\n",
        &[],
        expect![[r#"
        /etc/hw/headwater.toml:2:1: unknown key `worker.slot`
          2 | slot = 4
            | ^^^^
        hint: did you mean `slots`?"#]],
    );
    check(
        "[database]\nurl = 'postgres://'\n",
        &[],
        expect![[r#"
            /etc/hw/headwater.toml:1:1: `database` must be a string in quotes, not a table
              1 | [database]
                | ^^^^^^^^^^"#]],
    );
}

#[test]
fn unknown_variables_name_the_nearest() {
    check(
        "",
        &[("HEADWATER_WORKERS_SLOTS", "4"), ("HEADWATER_COLOUR", "red")],
        expect![[r#"
            HEADWATER_COLOUR: unknown environment variable
            hint: known: `HEADWATER_` with one of DATA_DIR, DATABASE, TENANT, PIPELINE, PIPELINES_DIR, WATCH_FOLDER, WATCH_SETTLE_SECONDS, WATCH_RESCAN_SECONDS, WATCH_BUCKETS, WATCH_POLL_SECONDS, WORKER_SLOTS, WORKER_POOL, WORKER_NAME, WORKER_DRAIN_SECONDS, WORKER_TRANSCODER_SILENCE_SECONDS, WORKER_TRANSCODER_MEMORY_MB, ORIGINS_NAME_KIND, ORIGINS_NAME_PATH, ORIGINS_NAME_BUCKET, ORIGINS_NAME_ENDPOINT, ORIGINS_NAME_REGION, ORIGINS_NAME_PREFIX, ORIGINS_NAME_PATH_STYLE, ORIGINS_NAME_STORAGE_CLASS, ORIGINS_NAME_PUBLIC_URL, ORIGINS_NAME_EDGE_URL, ORIGINS_NAME_PURGE_METHOD, ORIGINS_NAME_PURGE_URL, ORIGINS_NAME_PURGE_BODY, MASTERS_ORIGINS, PUBLISH_REQUIRED, PUBLISH_MIN_COPIES, PUBLISH_ARCHIVE, PUBLISH_VERIFY, AUDIT_LIST_DAYS, AUDIT_READ_DAYS, AUDIT_REQUESTS_PER_SECOND, AUDIT_MEGABYTES_PER_SECOND, AUDIT_HEAL, HTTP_LISTEN, HTTP_PUBLIC_URL, HTTP_HEALTH_LISTEN, LOG_FILTER, LOG_FORMAT, DATABASE_PASSWORD, ORIGINS_NAME_ACCESS_KEY_ID, ORIGINS_NAME_SECRET_ACCESS_KEY, ORIGINS_NAME_SESSION_TOKEN, ORIGINS_NAME_PURGE_TOKEN, CONFIG

            HEADWATER_WORKERS_SLOTS: unknown environment variable
            hint: did you mean `HEADWATER_WORKER_SLOTS`?"#]],
    );
}

#[test]
fn other_known_variables_are_no_settings() {
    for other in OTHERS {
        let said = config("", &[(other.variable, other.example)]);
        assert_eq!(shown(&said), shown(&config("", &[])));
    }
}

#[test]
fn bad_values_in_the_file() {
    check(
        "data_dir = ''\ntenant = 'Station 1'\npipeline = 'pipelines/news.toml'\n\
         [watch]\nsettle_seconds = 0\nrescan_seconds = '10'\n[worker]\nslots = 0\n",
        &[],
        expect![[r#"
            /etc/hw/headwater.toml:1:12: `data_dir` is empty instead of a path
              1 | data_dir = ''
                |            ^^
            hint: for example `data_dir = "/var/lib/headwater"` (folder for everything that the service keeps: catalog, spool, drop folder, packages; when left out, `headwater-data` in the current folder)

            /etc/hw/headwater.toml:2:10: `Station 1` is not a usable name: use 1 to 120 of the characters a-z 0-9 . _ - and start with a letter or digit
              2 | tenant = 'Station 1'
                |          ^^^^^^^^^^^
            hint: for example `tenant = "station-1"` (tenant that titles belong to: the first part of every object key; when left out, `main`)

            /etc/hw/headwater.toml:3:12: `pipelines/news.toml` is a file, not the name of a pipeline
              3 | pipeline = 'pipelines/news.toml'
                |            ^^^^^^^^^^^^^^^^^^^^^
            hint: for example `pipeline = "copy"` (name of the pipeline for masters that come without one; when left out, `vod-h264`)

            /etc/hw/headwater.toml:5:18: settle_seconds = 0 is outside 0.1 to 3600
              5 | settle_seconds = 0
                |                  ^
            hint: for example `settle_seconds = 30` (how long size and time of a file must stand still before it counts as complete, 0.1 to 3600; when left out, 5)

            /etc/hw/headwater.toml:6:18: `watch.rescan_seconds` must be a number, not a string
              6 | rescan_seconds = '10'
                |                  ^^^^
            hint: take the quotes away

            /etc/hw/headwater.toml:8:9: slots = 0 is outside 1 to 256
              8 | slots = 0
                |         ^
            hint: for example `slots = 4` (transcoder children at a time, 1 to 256; when left out, the number of cores, or fewer where memory does not give each 1 GiB and the process 0.5 GiB)"#]],
    );
    check(
        "[http]\nlisten = 'localhost'\npublic_url = 'example.org'\n\
         [log]\nfilter = 'headwater=loud'\nformat = 'jsno'\n",
        &[],
        expect![[r#"
            /etc/hw/headwater.toml:2:10: `localhost` is not an IP address and a port
              2 | listen = 'localhost'
                |          ^^^^^^^^^^^
            hint: for example `listen = "0.0.0.0:8080"` (IP address and port to listen on; `0.0.0.0:8080` is every interface, port 0 any free port; when left out, `127.0.0.1:8080`)

            /etc/hw/headwater.toml:3:14: `example.org` is not the address of a site
              3 | public_url = 'example.org'
                |              ^^^^^^^^^^^^^
            hint: for example `public_url = "https://headwater.example.org"` (address by which others reach the service, for links that it prints; when left out, `http://` and the address it listens on)

            /etc/hw/headwater.toml:5:10: `headwater=loud` is not a log filter: error parsing level filter: expected one of "off", "error", "warn", "info", "debug", "trace", or a number 0-5
              5 | filter = 'headwater=loud'
                |          ^^^^^^^^^^^^^^^^
            hint: for example `filter = "warn,headwater=debug"` (what is logged: directives such as `info` or `headwater_engine=debug`, with commas between them; when left out, `warn,aws=error,headwater=info` for `up` and `worker`, `warn,aws=error` for all other commands)

            /etc/hw/headwater.toml:6:10: `jsno` is no log format
              6 | format = 'jsno'
                |          ^^^^^^
            hint: did you mean `json`?"#]],
    );
    check(
        "watch = 'drop'\n",
        &[],
        expect![[r#"
        /etc/hw/headwater.toml:1:9: `watch` must be a table, not a string
          1 | watch = 'drop'
            |         ^^^^^^"#]],
    );
    check(
        "[watch\nfolder = 1",
        &[],
        expect![[r#"
        /etc/hw/headwater.toml:1:7: not TOML: unclosed table, expected `]`
          1 | [watch
            |       ^"#]],
    );
}

#[test]
fn bad_values_in_the_environment() {
    check(
        "",
        &[
            ("HEADWATER_TENANT", "../x"),
            ("HEADWATER_PIPELINE", "news.toml"),
            ("HEADWATER_WATCH_FOLDER", " "),
            ("HEADWATER_WATCH_SETTLE_SECONDS", "nan"),
            ("HEADWATER_WATCH_RESCAN_SECONDS", "10s"),
            ("HEADWATER_WORKER_SLOTS", "all"),
            ("HEADWATER_HTTP_LISTEN", "8080"),
            ("HEADWATER_HTTP_PUBLIC_URL", "https://"),
            ("HEADWATER_LOG_FILTER", "a=b=c"),
            ("HEADWATER_LOG_FORMAT", "xml"),
        ],
        expect![[r#"
            HEADWATER_TENANT: `../x` is not a usable name: use 1 to 120 of the characters a-z 0-9 . _ - and start with a letter or digit
            hint: for example `HEADWATER_TENANT=station-1` (tenant that titles belong to: the first part of every object key; when left out, `main`)

            HEADWATER_PIPELINE: `news.toml` is a file, not the name of a pipeline
            hint: for example `HEADWATER_PIPELINE=copy` (name of the pipeline for masters that come without one; when left out, `vod-h264`)

            HEADWATER_WATCH_FOLDER: `watch.folder` is empty instead of a path
            hint: for example `HEADWATER_WATCH_FOLDER=/srv/aspera/incoming` (drop folder: masters that are put here become titles; when left out, `drop` in `data_dir`)

            HEADWATER_WATCH_SETTLE_SECONDS: `nan` is not a number from 0.1 to 3600
            hint: for example `HEADWATER_WATCH_SETTLE_SECONDS=30` (how long size and time of a file must stand still before it counts as complete, 0.1 to 3600; when left out, 5)

            HEADWATER_WATCH_RESCAN_SECONDS: `10s` is not a number from 0.1 to 86400
            hint: for example `HEADWATER_WATCH_RESCAN_SECONDS=60` (how often the drop folder is listed in case a notification got lost, 0.1 to 86400; when left out, 10)

            HEADWATER_WORKER_SLOTS: `all` is not a whole number from 1 to 256
            hint: for example `HEADWATER_WORKER_SLOTS=4` (transcoder children at a time, 1 to 256; when left out, the number of cores, or fewer where memory does not give each 1 GiB and the process 0.5 GiB)

            HEADWATER_HTTP_LISTEN: `8080` is not an IP address and a port
            hint: for example `HEADWATER_HTTP_LISTEN=0.0.0.0:8080` (IP address and port to listen on; `0.0.0.0:8080` is every interface, port 0 any free port; when left out, `127.0.0.1:8080`)

            HEADWATER_HTTP_PUBLIC_URL: `https://` is not the address of a site
            hint: for example `HEADWATER_HTTP_PUBLIC_URL=https://headwater.example.org` (address by which others reach the service, for links that it prints; when left out, `http://` and the address it listens on)

            HEADWATER_LOG_FILTER: `a=b=c` is not a log filter: error parsing level filter: expected one of "off", "error", "warn", "info", "debug", "trace", or a number 0-5
            hint: for example `HEADWATER_LOG_FILTER=warn,headwater=debug` (what is logged: directives such as `info` or `headwater_engine=debug`, with commas between them; when left out, `warn,aws=error,headwater=info` for `up` and `worker`, `warn,aws=error` for all other commands)

            HEADWATER_LOG_FORMAT: `xml` is no log format
            hint: known: `text`, `json`"#]],
    );
}

#[test]
fn a_mistake_is_reported_although_something_overrides_it() {
    check(
        "tenant = 'A B'",
        &[("HEADWATER_TENANT", "good")],
        expect![[r#"
            /etc/hw/headwater.toml:1:10: `A B` is not a usable name: use 1 to 120 of the characters a-z 0-9 . _ - and start with a letter or digit
              1 | tenant = 'A B'
                |          ^^^^^
            hint: for example `tenant = "station-1"` (tenant that titles belong to: the first part of every object key; when left out, `main`)"#]],
    );
}

#[test]
fn mistakes_of_file_and_environment_come_together() {
    check(
        "[worker]\nslots = -1\n",
        &[("HEADWATER_LOG_FORMAT", "xml")],
        expect![[r#"
            /etc/hw/headwater.toml:2:9: slots = -1 is outside 1 to 256
              2 | slots = -1
                |         ^^
            hint: for example `slots = 4` (transcoder children at a time, 1 to 256; when left out, the number of cores, or fewer where memory does not give each 1 GiB and the process 0.5 GiB)

            HEADWATER_LOG_FORMAT: `xml` is no log format
            hint: known: `text`, `json`"#]],
    );
}
