//! HTTP over the ports: package files for players, the titles as JSON, and a page that shows and plays them.
//!
//! Invariant: this crate sees neither adapters nor the engine. What it knows it asks the catalog and the origin.

mod health;
mod media;
mod page;
mod problem;
mod serve;
mod titles;
mod wire;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::get;
use headwater_model::id::Tenant;
use headwater_ports::catalog::Catalog;
use headwater_ports::origin::Origin;

pub use health::{Health, HeardOf, Vitals};
use problem::{Code, Problem};
pub use serve::serve;

/// What the HTTP surface speaks for.
#[derive(Clone)]
pub struct Api {
    /// Where titles are read.
    pub catalog: Arc<dyn Catalog>,
    /// Where package files are read.
    pub origins: Vec<Arc<dyn Origin>>,
    /// Whose titles and files; nobody else's are served.
    pub tenant: Tenant,
}

/// Every address:
///
/// * `/` and `/assets/…`: the page;
/// * `/media/{key}`: package files, with ranges and for any web origin;
/// * `/api/titles`, `/api/titles/{title}`: titles as JSON;
/// * `/livez`: 200 while the loops of this process turn, `/readyz`: 200 while it can work; both say why not.
///
/// Errors are problem documents (RFC 9457) with a stable `code`.
pub fn router(api: Api, of_process: Health) -> Router {
    let routes = Router::new()
        .route("/", get(page::index))
        .route("/assets/{tag}/{name}", get(page::asset))
        .route("/api/titles", get(titles::list))
        .route("/api/titles/{title}", get(titles::one))
        .merge(media::routes())
        .with_state(api);
    finished(routes.merge(health::routes(of_process)))
}

/// `/livez` and `/readyz` alone, for a process that serves nothing else.
pub fn health(of_process: Health) -> Router {
    finished(health::routes(of_process))
}

/// The same two for a process that is coming up: it is alive, and not ready.
pub fn starting() -> Router {
    finished(health::routes_while_starting())
}

/// What holds for all addresses, also for those that there are not.
fn finished(routes: Router) -> Router {
    routes
        .method_not_allowed_fallback(wrong_method)
        .fallback(no_such_page)
        .layer(map_response(harden))
}

async fn no_such_page(request: Request) -> Problem {
    Problem::new(Code::NoSuchPage, format!("there is nothing at `{}`", request.uri().path()))
}

async fn wrong_method(request: Request) -> Problem {
    let (method, path) = (request.method(), request.uri().path());
    Problem::new(Code::MethodNotAllowed, format!("`{path}` cannot be asked to {method}"))
}

/// A browser must not take a package file for anything but what its `Content-Type` says.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

#[cfg(test)]
mod tests;
