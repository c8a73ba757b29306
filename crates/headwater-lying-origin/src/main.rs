//! The lying origin as a server to try Headwater against: `cargo xtask lying-origin`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it talks to the person at the terminal"
)]

use std::process::ExitCode;

use headwater_lying_origin::{Checksums, Lie, LyingEdge, LyingOrigin, Manners};

const USAGE: &str = "\
lying-origin [--port N] [--edge-port N] [--grade a|b|c] [--puts-per-second N] [--lie LIE]…

With --edge-port there is a CDN in front of it too, which remembers every answer until it is told PURGE.

A LIE is WHAT[:CONTAINING[:TIMES]]: what is done to objects whose keys contain a text, and how often.
WHAT is one of
  drop store-empty store-truncated store-altered rot list-without-having have-without-listing serve-stale
  refuse-checksums expire-credentials skew-clock full ignore-range repeat-page mangle-keys hide-size
  fail-CALL slow-down-CALL reset-CALL lose-answer-CALL hang-CALL   with CALL one of put get head list delete
While it runs, it reads lies from the terminal, a line each; `honest` ends all of them, `keys` lists what is stored,
`lose KEY` loses an object, `edge-answers-404 KEY` has the CDN remember that there is none. The objects are in memory: they are gone when it ends.
";

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some(Wanted { manners, edge_port, lies }) = parse(&args) else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    let server = match LyingOrigin::start(manners).await {
        Ok(server) => server,
        Err(error) => {
            eprintln!("error: failed to listen: {error}");
            return ExitCode::FAILURE;
        }
    };
    introduce(&server);
    let edge = match edge_port {
        Some(port) => match LyingEdge::start(&server, port, None).await {
            Ok(edge) => Some(edge),
            Err(error) => {
                eprintln!("error: failed to listen for the CDN: {error}");
                return ExitCode::FAILURE;
            }
        },
        None => None,
    };
    if let Some(edge) = &edge {
        println!("  export HEADWATER_ORIGINS_LAB_EDGE_URL={}", edge.url());
        println!("  export HEADWATER_ORIGINS_LAB_PURGE_METHOD=PURGE");
    }
    for lie in lies {
        println!("lying: {lie:?}");
        server.lie(lie);
    }
    // Reading from a terminal blocks: not for the runtime.
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            obey(&server, edge.as_ref(), line.trim());
        }
        // Both end with their values, and without a terminal they run until they are stopped.
        std::mem::forget((server, edge));
    });
    std::future::pending().await
}

/// What was asked for.
struct Wanted {
    manners: Manners,
    edge_port: Option<u16>,
    lies: Vec<Lie>,
}

fn parse(args: &[String]) -> Option<Wanted> {
    let (mut manners, mut lies) = (Manners { port: 9100, ..Manners::default() }, Vec::new());
    let mut edge_port = None;
    let mut args = args.iter();
    while let Some(option) = args.next() {
        let value = args.next()?;
        match option.as_str() {
            "--port" => manners.port = value.parse().ok()?,
            "--edge-port" => edge_port = Some(value.parse().ok()?),
            "--grade" => match value.as_str() {
                "a" => {}
                "b" => manners.checksums = Checksums::Refused,
                "c" => {
                    manners.checksums = Checksums::Echoed;
                    manners.enforces_md5 = false;
                    manners.checks_signatures = false;
                }
                _ => return None,
            },
            "--puts-per-second" => manners.puts_per_second = Some(value.parse().ok()?),
            "--lie" => lies.push(value.parse().ok()?),
            _ => return None,
        }
    }
    Some(Wanted { manners, edge_port, lies })
}

fn introduce(server: &LyingOrigin) {
    let Manners { bucket, region, .. } = server.manners();
    println!("an S3 origin at {}, bucket {bucket}, region {region}", server.endpoint());
    println!("for headwater:");
    for (key, value) in [
        ("KIND", "s3"),
        ("ENDPOINT", &server.endpoint()),
        ("BUCKET", bucket),
        ("REGION", region),
        ("ACCESS_KEY_ID", LyingOrigin::ACCESS_KEY),
        ("SECRET_ACCESS_KEY", LyingOrigin::SECRET_KEY),
    ] {
        println!("  export HEADWATER_ORIGINS_LAB_{key}={value}");
    }
}

fn obey(server: &LyingOrigin, edge: Option<&LyingEdge>, line: &str) {
    match (line, line.split_once(' ')) {
        ("", _) => {}
        ("honest", _) => {
            server.be_honest();
            println!("honest from now on");
        }
        ("keys", _) => server.keys().iter().for_each(|key| println!("{key}")),
        (_, Some(("lose", key))) => {
            println!("{}", if server.remove(key) { "lost" } else { "there is no such object" });
        }
        (_, Some(("edge-answers-404", key))) => match edge {
            Some(edge) => edge.remember(key, 404, ""),
            None => println!("there is no CDN: start with --edge-port"),
        },
        (lie, _) => match lie.parse::<Lie>() {
            Ok(lie) => {
                println!("lying: {lie:?}");
                server.lie(lie);
            }
            Err(error) => println!("{error}\n{USAGE}"),
        },
    }
}
