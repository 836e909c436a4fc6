// The page behind a one-time link: opens the link by itself. A program that only looks at the address does
// not run this, so it does not use the link up.
document.querySelector("form").submit();
