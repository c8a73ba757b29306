//! How `--where` is understood.

use super::*;

fn understood(text: &str) -> Result<Field, String> {
    condition(text).map(|condition| condition.field)
}

#[test]
fn a_condition_is_a_field_and_a_value() {
    let told = condition("engine=headwater 0.1 = this one").unwrap();
    assert_eq!((told.field, told.value), (Field::Engine, "headwater 0.1 = this one"));
    assert_eq!(understood("height="), Ok(Field::Height), "what is not known is empty");
}

#[test]
fn what_is_no_condition_is_told() {
    assert_eq!(understood("1080p"), Err("`1080p` is not FIELD=VALUE".to_owned()));
    let known = "title, state, pipeline, engine, height, master";
    assert_eq!(
        understood("hight=1080"),
        Err(format!("there is no field `hight`: there are {known}"))
    );
    let texts = ["height=1080".to_owned(), "film".to_owned()];
    assert_eq!(conditions(&texts).map_err(|(text, _)| text), Err("film"));
}
