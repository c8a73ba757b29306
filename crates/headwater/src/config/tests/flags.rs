//! What the command line says over file and environment, and the file that it names.

use expect_test::expect;

use super::*;

#[test]
fn flags_override_file_and_environment() {
    let text = "data_dir = 'from-file'\n[worker]\nslots = 7\npool = 'from-file'\nname = 'from-file'\ndrain_seconds = 7\n[http]\nhealth_listen = '127.0.0.1:7'";
    let file = Some((Path::new("headwater.toml"), text));
    let environment = variables(&[
        ("HEADWATER_DATA_DIR", "from-environment"),
        ("HEADWATER_WORKER_SLOTS", "8"),
        ("HEADWATER_WORKER_POOL", "from-environment"),
        ("HEADWATER_WORKER_NAME", "from-environment"),
        ("HEADWATER_WORKER_DRAIN_SECONDS", "8"),
        ("HEADWATER_HTTP_HEALTH_LISTEN", "127.0.0.1:8"),
    ]);
    let flags = Flags {
        config: None,
        data_dir: Some("from-flag".into()),
        slots: NonZeroUsize::new(9),
        pool: Some("from-flag".to_owned()),
        name: Some("from-flag".to_owned()),
        drain: Some(Duration::from_secs(9)),
        health_listen: Some(SocketAddr::from(([127, 0, 0, 1], 9))),
    };
    let config = resolve(file, &environment, &flags, SLOTS).unwrap();
    assert_eq!(config.data_dir, Path::new("from-flag"));
    assert_eq!(path_of(&config, "local"), "from-flag/origin");
    let expected = Worker {
        slots: NonZeroUsize::new(9).unwrap(),
        pool: "from-flag".to_owned(),
        name: Some("from-flag".to_owned()),
        drain: Duration::from_secs(9),
        lease: None,
        transcoder: Limits::default(),
    };
    assert_eq!((config.worker, config.http.health_listen), (expected, flags.health_listen));
}

#[test]
fn names_of_pools_and_workers_can_be_those_of_folders() {
    check(
        "[worker]\npool = 'GPU'\nname = '../other'\ndrain_seconds = -1\n",
        &[],
        expect![[r#"
            /etc/hw/headwater.toml:2:8: `GPU` is no such name: use 1 to 64 of a-z, 0-9 and -, and start with a letter or digit
              2 | pool = 'GPU'
                |        ^^^^^
            hint: for example `pool = "cpu-large"` (pool of workers that this one belongs to; when left out, `cpu`)

            /etc/hw/headwater.toml:3:8: `../other` is no such name: use 1 to 64 of A-Z, a-z, 0-9, -, . and _, and start with a letter or digit
              3 | name = '../other'
                |        ^^^^^^^^^^
            hint: for example `name = "render-3"` (what the process is called in the catalog and in its folders, by which it is told from others: where two have one name, the catalog calls the second `NAME-2`, and in one data folder it is refused; when left out, the name of the host and eight digits, other ones at every start)

            /etc/hw/headwater.toml:4:17: drain_seconds = -1 is outside 0 to 86400
              4 | drain_seconds = -1
                |                 ^^
            hint: for example `drain_seconds = 120` (how long work under way may go on after SIGTERM before it is given back, 0 to 86400; whoever sends SIGKILL afterwards has to wait 10 s longer than that; when left out, 20)"#]],
    );
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("named.toml");
    let flags = Flags { config: Some(path.clone()), ..Flags::default() };
    let error = Config::load(&flags, &BTreeMap::new()).unwrap_err();
    assert!(matches!(error, ConfigError::Unreadable { .. }), "{error}");
    let environment = variables(&[("HEADWATER_CONFIG", path.to_str().unwrap())]);
    assert!(Config::load(&Flags::default(), &environment).is_err());

    std::fs::write(&path, "tenant = 'a'\ndata_dir = 'd'").unwrap();
    let config = Config::load(&flags, &BTreeMap::new()).unwrap();
    assert_eq!((config.tenant.as_str(), config.data_dir), ("a", folder.path().join("d")));
    assert_eq!(Config::load(&Flags::default(), &environment).unwrap().tenant.as_str(), "a");

    let other = folder.path().join("other.toml");
    std::fs::write(&other, "tenant = 'b'").unwrap();
    let flags = Flags { config: Some(other), ..Flags::default() };
    let config = Config::load(&flags, &environment).unwrap();
    assert_eq!(config.tenant.as_str(), "b", "the flag names another file than the variable");
}
