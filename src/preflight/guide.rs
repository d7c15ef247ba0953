//! `tow guide`: what is to be done for this inventory, as a document.
