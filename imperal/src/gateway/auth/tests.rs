//! How cookies and headers identify the sender of a request.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::response::IntoResponse;

use super::*;

fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(name.clone(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn session(auth: &Auth, user: &str) -> String {
    let set = auth.begin_session(&User::new(user, "t"), CookieScheme::Plain).unwrap();
    set.split(';').next().unwrap().to_owned()
}

async fn user(auth: &Auth, cookies: &[&str]) -> Result<String, u16> {
    let lines: Vec<_> = cookies.iter().map(|cookie| (header::COOKIE, *cookie)).collect();
    let caller = auth.caller(&headers(&lines), &Method::GET).await;
    caller.map(|caller| caller.user.id).map_err(|refused| refused.into_response().status().as_u16())
}

#[tokio::test]
async fn sessions_of_two_users_in_one_request_are_refused() {
    let auth = Auth::local(LocalKey::ephemeral());
    let (anna, ben) = (session(&auth, "anna"), session(&auth, "ben"));
    let foreign = session(&Auth::local(LocalKey::ephemeral()), "anna");
    assert_eq!(user(&auth, &[&anna]).await, Ok("anna".to_owned()));
    assert_eq!(user(&auth, &[&foreign, &anna]).await, Ok("anna".to_owned()));
    assert_eq!(user(&auth, &[&ben, &anna]).await, Err(401));
    assert_eq!(user(&auth, &[&format!("{anna}; {ben}")]).await, Err(401));
}

#[tokio::test]
async fn cookie_from_another_sites_page_cannot_change_anything() {
    let auth = Auth::local(LocalKey::ephemeral());
    for (origin, taken) in [
        ("http://here.example:7717", true),
        ("http://HERE.example:7717", true),
        ("http://here.example", false),
        ("http://there.example:7717", false),
        ("null", false),
    ] {
        let anna = session(&auth, "anna");
        let lines = [(header::COOKIE, &*anna), (header::ORIGIN, origin), (header::HOST, "here.example:7717")];
        let caller = auth.caller(&headers(&lines), &Method::POST).await;
        assert_eq!(caller.is_ok(), taken, "{origin}");
        assert_eq!(auth.end_sessions(&headers(&lines)).await.is_ok(), taken, "{origin}");
    }
}

#[tokio::test]
async fn service_token_is_compared_completely_and_has_a_minimum_length() {
    let token = "a-token-of-the-tests";
    let auth = Auth::local(LocalKey::ephemeral());
    let short = SecretString::from("fifteen-bytes-x".to_owned());
    assert!(auth.with_service_token(short).unwrap_err().to_string().contains("needs 16"));
    let auth = Auth::local(LocalKey::ephemeral()).with_service_token(SecretString::from(token.to_owned())).unwrap();
    let shows = |shown: &str| auth.is_service(&headers(&[(SERVICE_TOKEN, shown)])).unwrap();
    assert!(shows(token));
    assert!(!shows("a-token-of-the-test") && !shows("a-token-of-the-tests2") && !shows("b-token-of-the-tests"));
    assert!(!auth.is_service(&HeaderMap::new()).unwrap());
}
