// The types of `uPlot.esm.js`, which `cargo xtask vendor` leaves beside this, are those of its package.

export { default } from "uplot";
