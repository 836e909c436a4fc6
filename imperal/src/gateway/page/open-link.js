// The page behind a one-time link: submits its form. Programs that only fetch the address run no script, so they do not use
// the link up.
document.querySelector("form").submit();
