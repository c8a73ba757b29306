//! The address of a database, and its password.

use super::*;

#[test]
fn a_database_is_told_without_its_password() {
    let pairs = [
        ("HEADWATER_DATABASE", "postgres://hw@db:5433/films"),
        ("HEADWATER_DATABASE_PASSWORD", "hunter2"),
    ];
    let config = config("", &pairs);
    assert_eq!(config.database.as_ref().unwrap().place(), "db:5433/films");
    assert!(!format!("{config:?}").contains("hunter2"));
    let whole = [("HEADWATER_DATABASE", "postgres://hw:hunter2@db/films")];
    let shown = format!("{:?}", super::config("", &whole));
    assert!(shown.contains("db:5432/films") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_password_has_no_place_in_the_file_and_is_not_quoted() {
    for file in [
        "database = 'postgres://hw:hunter2@db/films'",
        "database = 'postgres://hw@db/films?password=hunter2'",
        "database = 'postgres://db/films?sslmode=require&PassWord=hunter2'",
        "database = 'postgres://db/films?p%61ssw%6Frd=hunter2'",
        "database_password = 'hunter2'",
        "database = 'mysql://hw:hunter2@db'",
    ] {
        let said = try_config(file, &[]).unwrap_err();
        assert!(!said.contains("hunter2"), "{said}");
    }
    config("database = 'postgres://hw@db/films?sslmode=require&application_name=password'", &[]);
    let said = try_config("", &[("HEADWATER_DATABASE", "postgres://hw:hunter2@db:port/films")])
        .unwrap_err();
    assert!(said.contains("HEADWATER_DATABASE") && !said.contains("hunter2"), "{said}");
}
