//! Starting, finding and ending a service.

use std::{
    io,
    net::{Ipv4Addr, TcpListener, TcpStream},
};

use tokenward_demo_service::{Config, Environment, Kind, Service, UnknownKind};

use crate::http::{send, start};

/// A port that is nobody else's, although nobody listens on it: a connection that came through it stays open.
struct HeldPort {
    number: u16,
    _open: [TcpStream; 2],
}

impl HeldPort {
    fn take(number: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, number))?;
        let address = listener.local_addr()?;
        let open = [TcpStream::connect(address)?, listener.accept()?.0];
        Ok(HeldPort { number: address.port(), _open: open })
    }

    fn two_in_a_row() -> [Self; 2] {
        let pair = || {
            let first = HeldPort::take(0).ok()?;
            let next = HeldPort::take(first.number.checked_add(1)?).ok()?;
            Some([first, next])
        };
        (0..100).find_map(|_| pair()).expect("two ports in a row")
    }
}

fn flute_at(port: &HeldPort) -> Service {
    Service::start(Kind::Flute, Config { port: port.number, ..Config::default() }).unwrap()
}

#[test]
fn a_service_takes_the_port_it_is_given_and_flutes_production_the_next() {
    let [first, next] = HeldPort::two_in_a_row();
    let service = flute_at(&first);
    assert_eq!(service.base_url(), format!("http://127.0.0.1:{}", first.number));
    let production = format!("http://127.0.0.1:{}", next.number);
    assert_eq!(service.environment_url(Environment::Production), Some(production.as_str()));
}

#[test]
fn a_dropped_service_accepts_no_connection_even_while_clients_stay_connected() {
    let [first, _next] = HeldPort::two_in_a_row();
    let service = flute_at(&first);
    let address = (Ipv4Addr::LOCALHOST, first.number);
    let _idle = TcpStream::connect(address).unwrap();
    drop(service);
    assert!(TcpStream::connect(address).is_err());
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
