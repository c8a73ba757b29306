//! Policies, and what pipelines ask for instead.

use super::*;

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn policy() -> Policy {
    Policy {
        origins: names(&["b2", "ibm", "lab"]),
        required: names(&["b2", "ibm"]),
        min_copies: 2,
        archive: None,
        verify: Verify::Listing,
    }
}

#[test]
fn a_pipeline_changes_what_it_names_and_nothing_else() {
    assert_eq!(policy().held_to(&PublishRules::default()), policy());
    let one = PublishRules { required: Some(names(&["lab"])), ..PublishRules::default() };
    let held = policy().held_to(&one);
    assert_eq!((held.required.as_slice(), held.min_copies), ([String::from("lab")].as_slice(), 1));
    assert_eq!((held.origins, held.verify), (policy().origins, Verify::Listing));
    let more = PublishRules { min_copies: Some(3), verify: Some(Verify::Read), required: None };
    let held = policy().held_to(&more);
    assert_eq!((held.required, held.min_copies, held.verify), (policy().required, 3, Verify::Read));
    let fewer = PublishRules { min_copies: Some(1), ..PublishRules::default() };
    assert_eq!(policy().held_to(&fewer).min_copies, 2, "the required ones are copies too");
}

#[test]
fn a_policy_that_no_title_can_meet_says_why() {
    assert_eq!(policy().cannot_be_met(), None);
    let unknown = PublishRules { required: Some(names(&["b3"])), ..PublishRules::default() };
    assert_eq!(
        policy().held_to(&unknown).cannot_be_met().unwrap(),
        "there is no origin `b3` that holds packages (there are: b2, ibm, lab)"
    );
    let many = PublishRules { min_copies: Some(4), ..PublishRules::default() };
    assert_eq!(
        policy().held_to(&many).cannot_be_met().unwrap(),
        "4 copies are more than there are origins that hold packages: b2, ibm, lab"
    );
}
