"""The ClientApp of a data site: four questions, each answered through the gate.

A handler reads the request, lets the site work, and builds a reply that the table of the wire
allows. Whatever goes wrong leaves as one of a few fixed codes; the reason stays in the site's log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
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

from client.evaluating import evaluate
from client.settings import StudyRequest
from client.site import Site, load_site
from client.sketching import release_sketch
from client.training import train_round
from client.version import software_version
from privacy import BudgetExceeded
from strategies import protocol
from strategies.gate import check_incoming, check_outgoing
from strategies.protocol import (
    ARRAYS,
    CONFIG,
    POOLED_SKETCH,
    SKETCH,
    STATISTICS,
    RefusalCode,
    error_reply,
)
from synthesis.generator import Generator, GeneratorSettings

SITES_DIR = "sites-dir"
"""Key of the run's settings that names the folder of all sites, in a simulation."""
SITE_DIR = "site-dir"
"""Key of a node's own configuration that names its folder, in a deployment."""

_log = logging.getLogger(__name__)
Handler = Callable[[Site, Message], RecordDict]


def hello(site: Site, message: Message) -> RecordDict:
    """Say which schema and software this site has, and whether they are the study's."""
    asked = message.content.config_records[CONFIG]
    code = RefusalCode.NONE
    if asked[protocol.PROTOCOL] != protocol.PROTOCOL_VERSION:
        code = RefusalCode.VERSION_MISMATCH
    elif asked[protocol.SCHEMA_DIGEST] != site.schema.digest():
        code = RefusalCode.SCHEMA_MISMATCH
    answer: dict[str, ConfigRecordValues] = {
        protocol.SCHEMA_DIGEST: site.schema.digest(),
        protocol.SOFTWARE_VERSION: software_version(),
        protocol.ACCEPTED: code is RefusalCode.NONE,
        protocol.REFUSAL_CODE: code.value,
    }
    return RecordDict({CONFIG: ConfigRecord(answer)})


def sketch(site: Site, message: Message) -> RecordDict:
    """Release the noisy sketch, once per study, after the whole study is in the ledger."""
    request = StudyRequest.from_config(message.content.config_records[CONFIG])
    release = release_sketch(site, request)
    public: dict[str, ConfigRecordValues] = {
        protocol.NOISE_MULTIPLIER: float(release.plan.sketch_noise_multiplier or 0.0),
        protocol.PLAN_EPSILON: float(release.plan.epsilon),
    }
    statistics = Array(release.statistics.astype(np.float32))
    return RecordDict({SKETCH: ArrayRecord({STATISTICS: statistics}), CONFIG: ConfigRecord(public)})


def train(site: Site, message: Message) -> RecordDict:
    """Run one adversarial round and answer with the local generator's weights."""
    config = message.content.config_records[CONFIG]
    arrays = message.content.array_records[ARRAYS]
    pooled = message.content.array_records.get(POOLED_SKETCH)
    local = train_round(
        site,
        StudyRequest.from_config(config),
        _build_generator(arrays, site),
        server_round=int(str(config[protocol.SERVER_ROUND])),
        pooled_sketch=None if pooled is None else torch.from_numpy(pooled[STATISTICS].numpy()),
        pooled_noise_std=float(str(config[protocol.POOLED_NOISE_STD])),
    )
    return RecordDict({ARRAYS: ArrayRecord(local.state_dict())})


def _build_generator(arrays: ArrayRecord, site: Site) -> Generator:
    """Build the generator whose public architecture the shapes of the weights tell.

    Raises:
        ValueError: if a weight is missing or not finite, or the shapes fit no generator for this
            schema.
    """
    weights = {name: torch.from_numpy(np.array(a.numpy())) for name, a in arrays.items()}
    if not all(bool(torch.isfinite(weight).all()) for weight in weights.values()):
        raise ValueError("weights from the coordinator must be finite.")
    if not {"anchors", "network.0.bias"} <= weights.keys():
        raise ValueError("weights from the coordinator must be those of a generator.")
    num_anchors, latent_dim = weights["anchors"].shape
    settings = GeneratorSettings(
        sizes=site.schema.sizes,
        num_anchors=num_anchors,
        latent_dim=latent_dim,
        hidden=len(weights["network.0.bias"]),
    )
    generator = Generator(settings, rng=torch.Generator().manual_seed(0))
    try:
        generator.load_state_dict(weights)
    except RuntimeError as error:  # not to be taken for a round that has been run before
        raise ValueError(f"weights from the coordinator must fit the schema: {error}") from None
    return generator


def answer(handler: Handler, message: Message, context: Context) -> Message:
    """Let ``handler`` work between the two gates; what fails leaves as a fixed code."""
    try:
        site = load_site(site_folder(context), is_simulated=SITE_DIR not in context.node_config)
        check_incoming(message)
        content = handler(site, message)
        check_outgoing(content, message)
    except BudgetExceeded as error:
        _log.warning("refused: %s", error)
        return error_reply(message, RefusalCode.BUDGET_EXCEEDED)
    except RuntimeError as error:
        _log.warning("refused: %s", error)
        return error_reply(message, RefusalCode.ALREADY_RELEASED)
    except Exception as error:  # the border of a site: Flower would send the text of any error
        _log.error("failed here, and only the code leaves: %s", error)
        return error_reply(message, RefusalCode.LOCAL_FAILURE)
    return Message(content, reply_to=message)


def site_folder(context: Context) -> Path:
    """Return the folder of the site this process serves."""
    own = context.node_config.get(SITE_DIR)
    if own is not None:
        return Path(str(own))
    number = int(str(context.node_config["partition-id"])) + 1
    return Path(str(context.run_config[SITES_DIR])) / f"site-{number}"


app = ClientApp()


@app.query(protocol.HELLO_ACTION)
def _hello(message: Message, context: Context) -> Message:
    return answer(hello, message, context)


@app.query(protocol.SKETCH_ACTION)
def _sketch(message: Message, context: Context) -> Message:
    return answer(sketch, message, context)


@app.query(protocol.EVALUATE_ACTION)
def _evaluate(message: Message, context: Context) -> Message:
    return answer(evaluate, message, context)


@app.train()
def _train(message: Message, context: Context) -> Message:
    return answer(train, message, context)
