//! Tests of the made-up packages: they have to stand up to the product's own check.

use std::collections::BTreeMap;

use headwater_packaging::check;

use super::*;

#[test]
fn a_package_is_one_that_players_could_read() {
    let plan = planned(3).unwrap();
    let id = id(&"main".parse().unwrap(), 7).unwrap();
    let media = media(&plan);
    assert_eq!(media.len(), 5 * (3 + 1));
    let objects = media.iter().map(|(path, role)| object(path, b"made up", role.clone())).collect();
    let package = Package::seal(id.clone(), &plan, objects).unwrap();

    let text = |name: &str| {
        let found = package.texts.iter().find(|(key, ..)| key == &id.key(name));
        found.map(|(_, _, text)| text.clone()).unwrap()
    };
    let inventory = inventory::read(&text(INVENTORY_NAME)).unwrap();
    assert_eq!(inventory.header.objects, package.restored.packages[0].record.objects);
    let manifests: BTreeMap<ObjectKey, Vec<u8>> = package
        .texts
        .iter()
        .filter(|(key, object, _)| {
            object.role == ObjectRole::Manifest && key.name() != INVENTORY_NAME
        })
        .map(|(key, _, text)| (key.clone(), text.to_vec()))
        .collect();
    assert_eq!(check::manifests(&id, &inventory, &manifests), []);
}
