//! What a migration may do while older builds work beside it.

use super::*;

#[test]
fn what_only_adds_is_well() {
    let text = "-- drop nothing\nalter table tasks add column extra text;\n\
        alter table tasks add column n bigint not null default 0;\ncreate index i on tasks (n);\
        alter table tasks alter column extra set compression lz4;";
    assert_eq!(of_file("2_more.sql", text), Vec::<String>::new());
}

#[test]
fn what_takes_away_is_found_unless_it_says_so() {
    for bad in [
        "alter table tasks drop column worker;",
        "alter table tasks rename column worker to who;",
        "alter table tasks alter\n column worker set not null;",
        "alter table tasks add column n bigint not null;",
        "drop table codecs;",
    ] {
        assert_eq!(of_file("2_less.sql", bad).len(), 1, "{bad}");
        let told = format!("{bad} update schema_form set needs = 2;");
        assert_eq!(of_file("2_less.sql", &told).len(), 0, "{told}");
    }
}

#[test]
fn the_repository_keeps_to_it() {
    assert_eq!(check(&crate::workspace::root()).unwrap(), Vec::<String>::new());
}
