//! Starting, finding and ending a service.

use std::net::TcpStream;

use tokenward_demo_service::{Config, Environment, Kind, Service, UnknownKind};

use crate::http::{send, start};

#[test]
fn a_service_takes_the_port_it_is_given_and_flutes_production_the_next() {
    // Another process may take a port between its release and its use.
    let taken = (0..20).find_map(|_| {
        let free = start(Kind::Opower).base_url().rsplit(':').next()?.parse().ok()?;
        let service = Service::start(Kind::Flute, Config { port: free, ..Config::default() }).ok()?;
        Some((free, service))
    });
    let (port, service) = taken.expect("two ports in a row");
    assert_eq!(service.base_url(), format!("http://127.0.0.1:{port}"));
    let production = format!("http://127.0.0.1:{}", port + 1);
    assert_eq!(service.environment_url(Environment::Production), Some(production.as_str()));
}

#[test]
fn a_dropped_service_accepts_no_connection_even_while_clients_stay_connected() {
    let service = start(Kind::Flute);
    let address = service.base_url().trim_start_matches("http://").to_owned();
    let _idle = TcpStream::connect(&address).unwrap();
    drop(service);
    assert!(TcpStream::connect(&address).is_err());
}

#[test]
fn a_service_may_start_and_end_inside_an_asynchronous_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let service = start(Kind::Opower);
        assert_eq!(send("GET", service.base_url(), &[], "").status, 404);
    });
}

#[test]
fn a_kind_is_known_by_its_name_with_either_dash() {
    for kind in Kind::ALL {
        assert_eq!(kind.to_string().parse(), Ok(kind));
        assert_eq!(kind.name().replace('_', "-").parse(), Ok(kind));
    }
    assert_eq!("flu".parse::<Kind>(), Err(UnknownKind));
}
