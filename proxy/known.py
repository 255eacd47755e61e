"""What is known about Nylas, made from the tables of `facts`: the one place where the two meet."""

from __future__ import annotations

from proxy import facts
from proxy.core.catalogue import Catalogue
from proxy.core.classify import Classifier
from proxy.core.entries import read_entries
from proxy.core.handbook import Handbook
from proxy.core.texts import cause_texts


def catalogue() -> Catalogue:
    """Return the operations of the API."""
    table = facts.load("routes")
    return Catalogue(table["route"], table["families"])


def classifier() -> Classifier:
    """Return the rules by which errors are told apart."""
    return Classifier(facts.load("rules")["rule"])


def handbook() -> Handbook:
    """Return what is told about errors and events."""
    return Handbook(read_entries(facts.load_folder("errors"), facts.load("sources")), cause_texts(facts.load("causes")))
