//! What is said when viewers cannot be given a version.

use headwater_model::audit::Content;

use super::*;

fn holding(live: Option<u32>, versions: &[(u32, Standing)]) -> Holding {
    let held = |&(version, standing): &(u32, Standing)| Held {
        version: Version(version),
        content: Content::Nothing,
        standing,
    };
    Holding {
        tenant: "main".parse().unwrap(),
        title: "film".parse().unwrap(),
        live: live.map(Version),
        live_since: None,
        versions: versions.iter().map(held).collect(),
    }
}

#[test]
fn it_is_told_what_is_in_the_way_and_what_to_do_instead() {
    use Standing::{Condemned, NeverPublished, Published};
    let film = [(2, Condemned), (3, Published), (4, NeverPublished), (5, Published)];
    let film = holding(Some(5), &film);
    let step = "choose one that viewers have had (v3): `headwater rollback film --to v3`";
    for (to, message) in [
        (1, "there is no v1 of `film` (known: v2, v3, v4, v5)"),
        (2, "v2 of `film` is being deleted"),
        (4, "viewers have never had v4 of `film`"),
        (5, "viewers get v5 of `film` already"),
    ] {
        let told = what_forbids(&film, Version(to));
        assert_eq!(told, Some((message.to_owned(), step.to_owned())));
    }
    assert_eq!(what_forbids(&film, Version(3)), None);
    let (_, alone) = what_forbids(&holding(Some(1), &[(1, Published)]), Version(2)).unwrap();
    assert!(alone.ends_with("`headwater retranscode film` makes a new one"), "{alone}");
}
