//! The page at `/` and the files that it is made of, all inside the binary: it works with no network but this server.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use headwater_model::key::CACHE_FOREVER;

use crate::problem::{Code, Problem};

/// Nothing from elsewhere, nothing inline. `blob:` is where players keep their media sources and workers.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; media-src 'self' blob:; worker-src 'self' blob:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const INDEX: &str = include_str!("../assets/index.html");

struct Asset {
    name: &'static str,
    content_type: &'static str,
    body: &'static [u8],
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Everything that the page loads. How the players got here is told in `assets/vendor/README.md`.
static ASSETS: [Asset; 5] = [
    Asset {
        name: "style.css",
        content_type: "text/css; charset=utf-8",
        body: include_bytes!("../assets/style.css"),
    },
    Asset { name: "app.js", content_type: SCRIPT, body: include_bytes!("../assets/app.js") },
    Asset { name: "player.js", content_type: SCRIPT, body: include_bytes!("../assets/player.js") },
    Asset {
        name: "hls.js",
        content_type: SCRIPT,
        body: include_bytes!("../assets/vendor/hls-1.7.4.min.js"),
    },
    Asset {
        name: "shaka.js",
        content_type: SCRIPT,
        body: include_bytes!("../assets/vendor/shaka-player-5.2.12.dash.js"),
    },
];

/// Names this build's assets, so that they can be cached for ever: other contents have other addresses.
static TAG: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = DefaultHasher::new();
    for asset in &ASSETS {
        (asset.name, asset.body).hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
});

pub(crate) async fn index() -> Response {
    let page = INDEX.replace("{assets}", &format!("/assets/{}", *TAG));
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, page).into_response()
}

pub(crate) async fn asset(Path((tag, name)): Path<(String, String)>) -> Result<Response, Problem> {
    // Another build's tag must not be answered: its contents would be cached for ever under the wrong address.
    let asset = ASSETS.iter().find(|asset| asset.name == name && tag == *TAG);
    let Some(asset) = asset else {
        return Err(Problem::new(Code::NoSuchPage, "this build of the page has no such file"));
    };
    let headers = [(CONTENT_TYPE, asset.content_type), (CACHE_CONTROL, CACHE_FOREVER)];
    Ok((headers, asset.body).into_response())
}
