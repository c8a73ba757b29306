//! Which origins there are and what has to be proven on them, from all that was said; and what does not go together.
//!
//! By now every value is good by itself. What contradicts another one is rejected where it was said.

use std::collections::BTreeSet;
use std::path::Path;

use headwater_model::origin::{Policy, Verify};
use headwater_origin::{Credentials, S3Settings};
use headwater_spec::document::did_you_mean;

use super::raw::{Layer, OriginLayer, OriginType};
use super::value::Value;
use super::{Edge, Origin, OriginKind, Purge};
use crate::env_vars::SECRETS;

/// The origin that there is when none is configured.
const LOCAL: &str = "local";

/// Storage classes of what has to be restored before it can be read, which takes hours.
const COLD: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

/// Settings of an origin that mean nothing without another one.
const NEEDS: [(&str, &str); 7] = [
    ("access_key_id", "secret_access_key"),
    ("secret_access_key", "access_key_id"),
    ("session_token", "access_key_id"),
    ("purge_method", "edge_url"),
    ("purge_url", "purge_method"),
    ("purge_body", "purge_method"),
    ("purge_token", "purge_method"),
];

/// Takes away what variables say of origins that nobody says anything of but secrets, and says so in a sentence for each:
/// whoever takes an origin out of the configuration leaves its keys exported, and they must not bring it back.
pub(super) fn leave_stray_secrets(environment: &mut Layer<'_>, file: &Layer<'_>) -> Vec<String> {
    let is_secret = |v: &Value<'_>| SECRETS.iter().any(|secret| secret.key == v.setting().key);
    let is_stray = |name: &&String| {
        !file.origins.contains_key(*name) && environment.values_of(name).all(is_secret)
    };
    let stray: Vec<String> = environment.origins.keys().filter(is_stray).cloned().collect();
    environment.origins.retain(|name, _| !stray.contains(name));
    let configured = file.origins.keys().chain(environment.origins.keys());
    let configured: Vec<&str> = configured.map(String::as_str).collect();
    let warning = |name: &String| {
        let variables: Vec<String> =
            environment.values_of(name).map(|v| v.setting().variable_of(v.origin())).collect();
        let near = headwater_spec::nearest(name, configured.iter().copied());
        let near = near.map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
        format!(
            "no origin `{name}` is configured{near}: nothing is made of {}",
            variables.join(", ")
        )
    };
    let warnings = stray.iter().map(warning).collect();
    environment.said.retain(|v| v.origin().is_none_or(|name| !stray.iter().any(|s| s == name)));
    warnings
}

/// All origins but those that were rejected, by name.
pub(super) fn origins(said: &Layer<'_>, data_dir: &Path) -> Vec<Origin> {
    let none = OriginLayer::default();
    let layer = |name: &str| said.origins.get(name).unwrap_or(&none);
    let names = holders(said).into_iter();
    names.filter_map(|name| origin(name, layer(name), said, data_dir)).collect()
}

/// Names of the origins that hold packages or copies of masters.
fn holders<'l>(said: &'l Layer<'_>) -> Vec<&'l str> {
    let names = said.origins.keys().map(String::as_str);
    let names: Vec<&str> = names.filter(|name| !holds_masters(said, name)).collect();
    if names.is_empty() { vec![LOCAL] } else { names }
}

/// Whether masters lie there, and nothing is stored.
fn holds_masters(said: &Layer<'_>, name: &str) -> bool {
    // One that is the archive as well is told to be.
    said.publish_archive.as_deref() != Some(name)
        && said.masters_origins.iter().flatten().any(|master| master == name)
}

/// The buckets that masters are read from and nothing is stored in; and what does not go together about them.
pub(super) fn masters(said: &Layer<'_>) -> Vec<S3Settings> {
    let items = said.value("masters.origins").and_then(Value::items).unwrap_or_default();
    let known: Vec<&str> = said.origins.keys().map(String::as_str).collect();
    let mut masters: Vec<S3Settings> = Vec::new();
    for (item, name) in items.iter().zip(said.masters_origins.iter().flatten()) {
        let Some(layer) = said.origins.get(name) else {
            item.reject_with(format!("there is no origin `{name}`"), did_you_mean(name, &known));
            continue;
        };
        if layer.kind != Some(OriginType::S3) {
            let message = format!("`{name}` is a folder, and masters in folders need no origin");
            item.reject_with(message, "take it away: a master is read by its path".to_owned());
        } else if said.publish_archive.as_ref() == Some(name) {
            let message = format!("`{name}` is the archive, where copies of masters are stored");
            item.reject_with(message, "take it away here, or from `publish.archive`".to_owned());
        } else if masters.iter().all(|master| master.name != *name) {
            masters.extend(s3(name, layer, said));
        }
    }
    check_watched(said, &masters);
    masters
}

fn check_watched(said: &Layer<'_>, masters: &[S3Settings]) {
    let items = said.value("watch.buckets").and_then(Value::items).unwrap_or_default();
    for (item, folder) in items.iter().zip(said.watch_buckets.iter().flatten()) {
        let holds =
            |s: &&S3Settings| s.bucket == folder.bucket && folder.prefix.starts_with(&s.prefix);
        if masters.iter().find(holds).is_none() {
            let message = format!("no origin of `masters.origins` holds `{folder}`");
            let hint = format!(
                "add an origin with `bucket = \"{}\"`, and its name to `masters.origins`",
                folder.bucket
            );
            item.reject_with(message, hint);
        }
    }
}

fn origin(name: &str, layer: &OriginLayer, said: &Layer<'_>, data_dir: &Path) -> Option<Origin> {
    let kind = layer.kind.unwrap_or(OriginType::Directory);
    for value in said.values_of(name) {
        reject_what_means_nothing(value, kind, said);
    }
    let kind = match kind {
        OriginType::Directory => OriginKind::Directory {
            path: layer.path.clone().unwrap_or_else(|| match name {
                LOCAL => data_dir.join("origin"),
                _ => data_dir.join("origins").join(name),
            }),
            public_url: layer.public_url.clone(),
        },
        OriginType::S3 => OriginKind::S3(s3(name, layer, said)?),
    };
    let purge = layer.purge_method.clone().map(|method| Purge {
        method,
        url: layer.purge_url.clone(),
        body: layer.purge_body.clone(),
        token: layer.purge_token.clone(),
    });
    let edge = layer.edge_url.clone().map(|url| Edge { url, purge });
    Some(Origin { name: name.to_owned(), kind, edge })
}

/// Rejects a setting that is for another kind of origin, or for something that the origin does not have.
fn reject_what_means_nothing(value: &Value<'_>, kind: OriginType, said: &Layer<'_>) {
    if let Some(other) = value.setting().only_for().filter(|only| *only != kind.word()) {
        let why = format!("means nothing to an origin of kind `{}`", kind.word());
        let hint = format!("take it away, or say `{}`", value.saying("kind", Some(other)));
        value.reject_setting(&why, hint);
        return;
    }
    let name = |v: &Value<'_>| v.setting().section_and_name().1;
    let Some((_, needed)) = NEEDS.iter().find(|(setting, _)| *setting == name(value)) else {
        return;
    };
    let origin = value.origin().unwrap_or_default();
    if !said.values_of(origin).any(|v| name(v) == *needed) {
        let why = format!("means nothing without `{}`", value.neighbour(needed));
        let hint = format!("take it away, or say for example `{}`", value.saying(needed, None));
        value.reject_setting(&why, hint);
    }
}

fn s3(name: &str, layer: &OriginLayer, said: &Layer<'_>) -> Option<S3Settings> {
    let Some(bucket) = layer.bucket.clone() else {
        // Nothing becomes an S3 origin by itself: its kind was said.
        let kind = said.values_of(name).find(|v| v.setting().section_and_name().1 == "kind");
        if let Some(kind) = kind {
            let message = format!("`{}` is missing", kind.neighbour("bucket"));
            kind.reject_with(message, format!("add `{}`", kind.saying("bucket", None)));
        }
        return None;
    };
    let credentials = match (&layer.access_key_id, &layer.secret_access_key) {
        (Some(access_key), Some(secret_key)) => Some(Credentials {
            access_key: access_key.expose().to_owned(),
            secret_key: secret_key.expose().to_owned(),
            session_token: layer.session_token.as_ref().map(|t| t.expose().to_owned()),
        }),
        _ => None,
    };
    Some(S3Settings {
        name: name.to_owned(),
        bucket,
        prefix: layer.prefix.clone().unwrap_or_default(),
        endpoint: layer.endpoint.clone(),
        region: layer.region.clone(),
        // Few services but AWS give every bucket a host of its own.
        path_style: layer.path_style.unwrap_or(layer.endpoint.is_some()),
        storage_class: layer.storage_class.clone(),
        public_url: layer.public_url.clone(),
        credentials,
    })
}

/// What has to be proven, and where.
pub(super) fn policy(said: &Layer<'_>) -> Policy {
    let names = holders(said);
    let archive = said.publish_archive.as_deref();
    let packages: Vec<&str> = names.iter().copied().filter(|n| Some(*n) != archive).collect();
    check_archive(said, &names, &packages);
    check_classes(said, &packages);
    check_required(said, &names);
    let required: Vec<String> = match &said.publish_required {
        Some(required) => required.clone(),
        None => packages.iter().map(|name| (*name).to_owned()).collect(),
    };
    let least = required.len().max(1);
    let min_copies = said.publish_min_copies.unwrap_or(least);
    check_min_copies(said, min_copies, least, packages.len());
    check_verify(said, &packages);

    let others = packages.iter().map(|name| (*name).to_owned()).filter(|n| !required.contains(n));
    Policy {
        origins: required.iter().cloned().chain(others).collect(),
        min_copies,
        archive: archive.map(str::to_owned),
        verify: said.publish_verify.unwrap_or_default(),
        required,
    }
}

fn check_archive(said: &Layer<'_>, names: &[&str], packages: &[&str]) {
    let (Some(value), Some(archive)) =
        (said.value("publish.archive"), said.publish_archive.as_deref())
    else {
        return;
    };
    if !names.contains(&archive) {
        value.reject_with(format!("there is no origin `{archive}`"), did_you_mean(archive, names));
    } else if packages.is_empty() {
        let message = format!("`{archive}` is the only origin, and an archive holds no packages");
        value.reject_with(message, "add an origin for the packages: `[origins.NAME]`".to_owned());
    }
}

fn check_classes(said: &Layer<'_>, packages: &[&str]) {
    for name in packages {
        let class = said.origins.get(*name).and_then(|origin| origin.storage_class.as_deref());
        let Some(class) = class.filter(|class| COLD.contains(class)) else { continue };
        let setting =
            said.values_of(name).find(|v| v.setting().section_and_name().1 == "storage_class");
        if let Some(value) = setting {
            value.reject_with(
                format!(
                    "what is stored as `{class}` cannot be read at once, and viewers read packages"
                ),
                format!(
                    "take it away, or keep only masters there: `publish.archive` is then `{name}`"
                ),
            );
        }
    }
}

fn check_required(said: &Layer<'_>, names: &[&str]) {
    let items = said.value("publish.required").and_then(Value::items).unwrap_or_default();
    let mut seen = BTreeSet::new();
    for (item, name) in items.iter().zip(said.publish_required.iter().flatten()) {
        if holds_masters(said, name) {
            let message = format!("`{name}` holds masters, and no packages");
            item.reject_with(message, "take it away here, or from `masters.origins`".to_owned());
        } else if !names.contains(&name.as_str()) {
            item.reject_with(format!("there is no origin `{name}`"), did_you_mean(name, names));
        } else if said.publish_archive.as_ref() == Some(name) {
            let message = format!("`{name}` is the archive, which holds no packages");
            item.reject_with(message, "take it away here, or from `publish.archive`".to_owned());
        } else if !seen.insert(name) {
            let message = format!("`{name}` is required twice");
            item.reject_with(message, "once is enough: take it away".to_owned());
        }
    }
}

fn check_min_copies(said: &Layer<'_>, copies: usize, required: usize, packages: usize) {
    let Some(value) = said.value("publish.min_copies") else { return };
    if copies < required {
        value.reject_with(
            format!("{copies} is less than the {required} origins that are required"),
            format!(
                "`{}`, or require fewer",
                value.saying("min_copies", Some(&required.to_string()))
            ),
        );
    } else if copies > packages {
        value.reject_with(
            format!("{copies} is more than there are origins for packages: {packages}"),
            format!(
                "`{}`, or add origins",
                value.saying("min_copies", Some(&packages.to_string()))
            ),
        );
    }
}

fn check_verify(said: &Layer<'_>, packages: &[&str]) {
    let has_edge = |name: &&str| said.origins.get(*name).is_some_and(|o| o.edge_url.is_some());
    if said.publish_verify != Some(Verify::Edge) || packages.iter().any(has_edge) {
        return;
    }
    if let Some(value) = said.value("publish.verify") {
        value.reject_with(
            "no origin with packages has an edge to prove anything through".to_owned(),
            "add `edge_url` to an origin, for example `edge_url = \"https://cdn.example.org\"`"
                .to_owned(),
        );
    }
}
