//! How `--where` is understood.

use headwater_model::life::TitleState;
use headwater_model::refusal::{Code, Refusal};

use super::*;

fn understood(text: &str) -> Result<(Field, String), String> {
    condition(text)
        .map(|condition| (condition.field, condition.value))
        .map_err(|told| format!("{} ({})", told.message, told.hint))
}

#[test]
fn a_condition_is_a_field_and_a_value() {
    let engine = "headwater 0.1 = this one";
    assert_eq!(understood(&format!("engine={engine}")), Ok((Field::Engine, engine.to_owned())));
    let unknown = Ok((Field::Height, String::new()));
    assert_eq!(understood("height="), unknown, "what is not known is empty");
    assert_eq!(understood("height=0720"), Ok((Field::Height, "720".to_owned())));
    let master = "AB".repeat(32);
    let small = Ok((Field::Master, master.to_lowercase()));
    assert_eq!(understood(&format!("master={master}")), small);
}

#[test]
fn what_is_no_condition_is_told() {
    for (text, says) in [
        ("1080p", "`1080p` is not FIELD=VALUE (write FIELD=VALUE"),
        (
            "hight=1080",
            "there is no field `hight` (there are title, state, pipeline, engine, height, master)",
        ),
        ("height=abc", "`abc` is not a height (write the lines of the picture"),
        ("state=publisched", "there is no state `publisched` (did you mean `published`?)"),
        ("state=", "there is no state `` (known: `queued`, `transcoding`"),
        ("title=Big Film", "`Big Film` is not a usable name"),
        ("master=abc", "`abc` is not"),
    ] {
        let told = understood(text).unwrap_err();
        assert!(told.starts_with(says), "{told}");
    }
    let texts = ["height=1080".to_owned(), "film".to_owned()];
    assert_eq!(conditions(&texts).map_err(|told| told.condition), Err("film".to_owned()));
}

#[test]
fn every_state_can_be_asked_for() {
    let refusal = || Refusal::new(Code::Internal, "why");
    let all = [
        TitleState::Queued,
        TitleState::Transcoding,
        TitleState::Sealing,
        TitleState::Verifying,
        TitleState::Publishing,
        TitleState::Published,
        TitleState::Rejected(refusal()),
        TitleState::Failed(refusal()),
    ];
    assert_eq!(all.map(|state| state.name()), STATES);
}
