"""The ClientApp of a data site: six questions, each answered through the gate.

A handler reads the request, lets the site work, and builds a reply that the table of the wire
allows. Whatever goes wrong leaves as one of a few fixed codes; the reason stays in the site's log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from traceback import format_tb

import numpy as np
from flwr.app import (
    Array,
    ArrayRecord,
    ConfigRecord,
    ConfigRecordValues,
    Context,
    Message,
    RecordDict,
)
from flwr.clientapp import ClientApp
from torch import nn

from client.answering import answer_once
from client.autoencoding import train_autoencoder
from client.canaries import NUMBER, describe_canaries, find_opening
from client.evaluating import release_evaluation
from client.hello import answer_hello
from client.incoming import build_autoencoder, build_generator, read_arrays
from client.kept import KeptAnswers
from client.patience import patience_of
from client.phases import close_study, open_phase
from client.refusals import MalformedRequest, describe, refusal_of
from client.reserving import fit_to_policy
from client.settings import StudyRequest
from client.site import Site, load_site
from client.sketching import release_sketch
from client.study_folder import study_folder
from client.training import train_judge, train_round, weights_of
from privacy import AlreadyReleased, Receipt
from privacy.canaries import COMMITMENT
from strategies import protocol
from strategies.gate import check_incoming
from strategies.protocol import (
    ARRAYS,
    CONFIG,
    DISCRIMINATOR,
    EVALUATION,
    MESSAGE_TYPES,
    NOISE_OF,
    POOLED_SKETCH,
    SKETCH,
    STATISTICS,
    RefusalCode,
    error_reply,
)
from strategies.wire_format import format_of, pack, pack_answer
from synthesis import InputError
from synthesis.kinds import VAE

SITES_DIR = "sites-dir"
"""Key of the run's settings that names the folder of all sites, in a simulation."""
SITE_DIR = "site-dir"
"""Key of a node's own configuration that names its folder, in a deployment."""

_log = logging.getLogger(__name__)
Handler = Callable[[Site, StudyRequest, Message], RecordDict]


def hello(site: Site, request: StudyRequest, message: Message) -> RecordDict:
    """Say what this site has and allows, and whether it will take part."""
    answer = answer_hello(site, request, message.content.config_records[CONFIG])
    return RecordDict({CONFIG: ConfigRecord(answer)})


def sketch(site: Site, request: StudyRequest, message: Message) -> RecordDict:
    """Release the noisy sketch, once per study, after the whole study is in the ledger."""
    release = release_sketch(site, request)
    public: dict[str, ConfigRecordValues] = {
        protocol.NOISE_MULTIPLIER: float(release.plan.sketch_noise_multiplier or 0.0),
        protocol.PLAN_EPSILON: float(release.plan.budget.epsilon),
    }
    if planted := describe_canaries(site, request.study):
        public[protocol.CANARIES] = int(planted[NUMBER])
        public[protocol.CANARY_COMMITMENT] = planted[COMMITMENT]
    statistics = Array(release.statistics.astype(np.float32))
    return RecordDict({SKETCH: ArrayRecord({STATISTICS: statistics}), CONFIG: ConfigRecord(public)})


def train(site: Site, request: StudyRequest, message: Message) -> RecordDict:
    """Run one adversarial round; answer with the local generator, or with the discriminator."""
    config = message.content.config_records[CONFIG]
    server_round = int(str(config[protocol.SERVER_ROUND]))
    if request.model == VAE:
        vae = build_autoencoder(read_arrays(message, ARRAYS), site.schema)
        trained = train_autoencoder(site, request, vae, server_round=server_round)
        return _answer_with_change(trained, vae, message)
    generator = build_generator(read_arrays(message, ARRAYS), site.schema)
    if request.returns_discriminator:
        judge = train_judge(site, request, generator, server_round=server_round)
        asked = format_of(message.content.array_records[ARRAYS])
        return RecordDict({DISCRIMINATOR: pack(weights_of(judge), asked), CONFIG: ConfigRecord()})
    local = train_round(
        site,
        request,
        generator,
        server_round=server_round,
        pooled_sketch=read_arrays(message, POOLED_SKETCH).get(STATISTICS),
        pooled_noise_std=float(str(config[protocol.POOLED_NOISE_STD])),
    )
    return _answer_with_change(local, generator, message)


def _answer_with_change(local: nn.Module, received: nn.Module, message: Message) -> RecordDict:
    """Return what a round made of the network that came, in the format in which that came."""
    asked = format_of(message.content.array_records[ARRAYS])
    weights = pack_answer(weights_of(local), weights_of(received), asked)
    return RecordDict({ARRAYS: weights, CONFIG: ConfigRecord()})


def evaluate(site: Site, request: StudyRequest, message: Message) -> RecordDict:
    """Release the noised counts of the hold-out, once per study."""
    release = release_evaluation(site, request, read_arrays(message, ARRAYS))
    counts = {purpose: Array(c.astype(np.float32)) for purpose, c in release.counts.items()}
    noise = {NOISE_OF[purpose]: float(n) for purpose, n in release.noise_multipliers.items()}
    return RecordDict({EVALUATION: ArrayRecord(counts), CONFIG: ConfigRecord(dict(noise))})


def open_coins(site: Site, request: StudyRequest, message: Message) -> RecordDict:
    """Open the coins of the canaries that this site planted; nothing of the study runs after it."""
    opening = find_opening(site, request.study)
    if opening is None:
        raise MalformedRequest("this site planted no canaries in this study.")
    with KeptAnswers(study_folder(site.folder, request.study)).alone():  # no phase is at work
        open_phase(site, request)
    words = opening.to_texts()
    public = {protocol.CANARY_SALT: words["salt"], protocol.CANARY_COINS: words["coins"]}
    return RecordDict({CONFIG: ConfigRecord(dict(public))})


def close(site: Site, request: StudyRequest, message: Message) -> RecordDict:
    """Write into the ledger how the study ended."""
    ending = message.content.config_records[CONFIG][protocol.ENDING]
    with suppress(AlreadyReleased, ValueError):  # closed before, or nothing was ever reserved
        close_study(site, request.study, is_finished=ending == protocol.FINISHED, by="coordinator")
    return RecordDict({CONFIG: ConfigRecord()})


def answer(handler: Handler, message: Message, context: Context) -> Message:
    """Let ``handler`` work between the two gates; what fails leaves as a fixed code."""
    try:
        site = replace(open_site(context), patience_s=patience_of(message.metadata.ttl))
        request = fit_to_policy(site, _read_request(message))
        _check_held_receipt(site, message)
        content = answer_once(site, request, message, partial(handler, site, request, message))
    except Exception as error:  # the border of a site: Flower would send the text of any error
        code = refusal_of(error)
        if code is RefusalCode.LOCAL_FAILURE:
            _log.error("failed here, and only the code leaves: %s", describe(error))
            _log.debug("failed here: %s", "".join(format_tb(error.__traceback__)))  # no text
        else:
            _log.warning("refused (%s): %s", code.value, describe(error))
        return error_reply(message, code)
    return Message(content, reply_to=message)


def open_site(context: Context) -> Site:
    """Open the site this process serves.

    A node's own configuration names the folder of an installed site. Only without it the settings
    of the run, which come from the coordinator, may name one, and only a folder that says of itself
    that it is simulated: nobody outside can choose among installed sites.

    Raises:
        InputError: if there is no such folder, or the run names one that is not simulated.
    """
    own = context.node_config.get(SITE_DIR)
    if own is not None:
        return load_site(str(own))
    number = int(str(context.node_config["partition-id"])) + 1
    site = load_site(Path(str(context.run_config[SITES_DIR])) / f"site-{number}", is_simulated=True)
    if site.config.simulation_seed is None:
        raise InputError(
            f"{SITE_DIR} must stand in the node's own configuration to serve an installed site; "
            "start the node with it.",
            argument=SITE_DIR,
        )
    return site


def _read_request(message: Message) -> StudyRequest:
    try:
        check_incoming(message)
        return StudyRequest.from_config(message.content.config_records[CONFIG])
    except ValueError as error:
        raise MalformedRequest(str(error)) from None


def _check_held_receipt(site: Site, message: Message) -> None:
    """Raise LedgerBroken if this site once gave a receipt that its ledger does not bear out."""
    held = message.content.config_records[CONFIG].get(protocol.HELD_RECEIPT)
    if held is not None:
        site.ledger.check_receipt(Receipt.from_text(str(held)))


class SiteApp(ClientApp):
    """A ClientApp that answers a message it does not know with a code instead of a text."""

    def __call__(self, message: Message, context: Context) -> Message:
        """Answer one message."""
        if message.metadata.message_type not in MESSAGE_TYPES:
            _log.warning("refused: a message of an unknown type")
            return error_reply(message, RefusalCode.UNKNOWN_MESSAGE)
        return super().__call__(message, context)


app = SiteApp()


@app.query(protocol.HELLO_ACTION)
def _hello(message: Message, context: Context) -> Message:
    return answer(hello, message, context)


@app.query(protocol.SKETCH_ACTION)
def _sketch(message: Message, context: Context) -> Message:
    return answer(sketch, message, context)


@app.query(protocol.EVALUATE_ACTION)
def _evaluate(message: Message, context: Context) -> Message:
    return answer(evaluate, message, context)


@app.query(protocol.OPEN_ACTION)
def _open(message: Message, context: Context) -> Message:
    return answer(open_coins, message, context)


@app.query(protocol.CLOSE_ACTION)
def _close(message: Message, context: Context) -> Message:
    return answer(close, message, context)


@app.train()
def _train(message: Message, context: Context) -> Message:
    return answer(train, message, context)
