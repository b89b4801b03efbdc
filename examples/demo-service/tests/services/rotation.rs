//! Refresh tokens: rotation, reuse and revocation.

use tokenward_demo_service::{Fault, Kind};

use crate::http::{TokenRequest, api_url, get, refresh, start, token};

const REFRESHING: [Kind; 2] = [Kind::Flume, Kind::Flute];

#[test]
fn a_refresh_rotates_the_refresh_token() {
    for kind in REFRESHING {
        let service = start(kind);
        let mut answer = token(&service);
        for _ in 0..3 {
            let next = refresh(&service, &answer.refresh_token());
            assert_eq!(next.status, 200, "{kind}");
            assert_ne!(next.refresh_token(), answer.refresh_token(), "{kind}");
            assert_ne!(next.access_token(), answer.access_token(), "{kind}");
            answer = next;
        }
    }
}

#[test]
fn the_old_access_token_works_on_after_a_refresh() {
    for kind in REFRESHING {
        let service = start(kind);
        let first = token(&service);
        refresh(&service, &first.refresh_token());
        assert_eq!(get(&api_url(&service), &first.access_token()).status, 200, "{kind}");
    }
}

#[test]
fn a_used_refresh_token_is_invalid_grant() {
    for kind in REFRESHING {
        let service = start(kind);
        let first = token(&service);
        refresh(&service, &first.refresh_token());
        let refused = refresh(&service, &first.refresh_token());
        assert_eq!((refused.status, refused.error().as_str()), (400, "invalid_grant"), "{kind}");
    }
}

#[test]
fn reuse_at_flute_revokes_the_family_and_no_other() {
    let service = start(Kind::Flute);
    let (other, first) = (token(&service), token(&service));
    let second = refresh(&service, &first.refresh_token());
    assert_eq!(refresh(&service, &first.refresh_token()).error(), "invalid_grant");
    assert_eq!(refresh(&service, &second.refresh_token()).error(), "invalid_grant");
    assert_eq!(get(&api_url(&service), &second.access_token()).status, 401);
    assert_eq!(get(&api_url(&service), &other.access_token()).status, 200);
    assert_eq!(refresh(&service, &other.refresh_token()).status, 200);
}

#[test]
fn reuse_at_flume_leaves_the_newer_refresh_token_good() {
    let service = start(Kind::Flume);
    let first = token(&service);
    let second = refresh(&service, &first.refresh_token());
    assert_eq!(refresh(&service, &first.refresh_token()).error(), "invalid_grant");
    assert_eq!(refresh(&service, &second.refresh_token()).status, 200);
}

#[test]
fn an_unknown_refresh_token_is_invalid_grant_and_a_missing_one_an_invalid_request() {
    for kind in REFRESHING {
        let service = start(kind);
        assert_eq!(refresh(&service, "unknown").error(), "invalid_grant", "{kind}");
        assert_eq!(refresh(&service, "").error(), "invalid_request", "{kind}");
    }
}

#[test]
fn a_refresh_needs_the_clients_credentials() {
    for kind in REFRESHING {
        let service = start(kind);
        let request = TokenRequest::new(&service, Some(&token(&service).refresh_token()));
        service.rotate_client_secret("new");
        assert_eq!(request.send().error(), "invalid_client", "{kind}");
    }
}

#[test]
fn a_new_client_secret_replaces_the_old_one_and_tokens_stay() {
    for kind in [Kind::FlipUtility, Kind::Flume, Kind::Opower, Kind::Flute] {
        let service = start(kind);
        let access_token = token(&service).access_token();
        let old = TokenRequest::new(&service, None);
        service.rotate_client_secret("n\u{e9}w + s&cret");
        assert_eq!(old.send().status, 401, "{kind}");
        assert_eq!(token(&service).status, 200, "{kind}");
        assert_eq!(get(&api_url(&service), &access_token).status, 200, "{kind}");
    }
}

#[test]
fn revoked_access_tokens_end_at_once_and_static_ones_stay() {
    for kind in Kind::ALL {
        let service = start(kind);
        let access_token = token(&service).access_token();
        service.revoke_access_tokens();
        assert_eq!(get(&api_url(&service), &access_token).status, 401, "{kind}");
    }
    let service = start(Kind::FlipUtility);
    service.revoke_access_tokens();
    assert_eq!(get(&api_url(&service), &service.credentials().bearer.unwrap()).status, 200);
}

#[test]
fn revoked_refresh_tokens_end_at_once_and_access_tokens_stay() {
    for kind in REFRESHING {
        let service = start(kind);
        let answer = token(&service);
        service.revoke_refresh_tokens();
        assert_eq!(refresh(&service, &answer.refresh_token()).error(), "invalid_grant", "{kind}");
        assert_eq!(get(&api_url(&service), &answer.access_token()).status, 200, "{kind}");
    }
}

#[test]
fn without_rotation_the_answer_has_no_refresh_token_and_the_old_one_stays_good() {
    for kind in REFRESHING {
        let service = start(kind);
        let first = token(&service);
        service.fault(Fault::NoRotation);
        let second = refresh(&service, &first.refresh_token());
        assert_eq!(second.status, 200, "{kind}");
        assert!(second.tokens()["refresh_token"].is_null(), "{kind}");
        assert_eq!(refresh(&service, &first.refresh_token()).status, 200, "{kind}");
    }
}

#[test]
fn a_dropped_answer_has_rotated_all_the_same() {
    for kind in REFRESHING {
        let service = start(kind);
        let first = token(&service);
        service.fault(Fault::DropAnswer);
        let request = TokenRequest::new(&service, Some(&first.refresh_token()));
        assert!(request.try_send().is_err(), "{kind}");
        assert_eq!(request.send().error(), "invalid_grant", "{kind}");
    }
}
