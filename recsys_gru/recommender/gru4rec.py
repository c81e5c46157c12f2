"""GRU4Rec: the estimator that brings clicks, lanes, network, evaluation and saved models together."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal, Self, final

import torch

from recsys_gru.arguments import flag, whole_number
from recsys_gru.contract import SearchSpace, newer_clicks, trainable
from recsys_gru.facts import ItemsData
from recsys_gru.observers import fitting
from recsys_gru.recommender.catalogue import Known, moments_in, with_items
from recsys_gru.recommender.loop import Loop, OnEpoch, lanes_needed
from recsys_gru.recommender.network_recommender import NetworkRecommender
from recsys_gru.recommender.recency import Forgetting, Recency
from recsys_gru.recommender.space import SEARCH_SPACE
from recsys_gru.recommender.stream import renumber
from recsys_gru.sessions import SessionData, Sessions, as_sessions
from recsys_gru.training import GoingOn, Parallel, Settings, resolve_device


@final
class GRU4Rec(NetworkRecommender):
    """Next-item recommendation by a gated recurrent network over the clicks of a session.

    The parameters up to `logq` bear the names and defaults of the published PyTorch reference.

    Args:
        layers: units of each recurrent layer; a number for a single one.
        loss: cross-entropy, bpr-max, bpr, top1, top1-max, gbce, or softmax (cross-entropy over every item).
        batch_size: lanes, the sessions walked side by side.
        dropout_p_embed: probability to drop an element of a looked-up input row.
        dropout_p_hidden: probability to drop an element of a layer's output.
        learning_rate: of the optimizer.
        momentum: of the optimizer.
        sample_alpha: negative samples are drawn in proportion to support ** sample_alpha.
        n_sample: negative samples shared by the lanes of an update, beside the lanes' own targets.
        embedding: width of a separate input table, "layersize" for the first layer's; 0 for one-hot input.
        constrained_embedding: one table for input and output (tied); `embedding` is then not used.
        n_epochs: walks through the training sessions.
        bpreg: weight of BPR-max's score regularisation.
        elu_param: of the ELU that scores pass in BPR-max; 0 for none.
        logq: strength of the logQ correction of cross-entropy.
        cell: gru (reset-after; of one-hot input, as in the reference, before), gru-reset-before, lstm, rnn.
        optimizer: adagrad, adam, rmsprop or sgd; each changes only the item rows that an update has touched.
        grad_clip: largest global norm of the gradient; 0 for no limit.
        weight_decay: L2 penalty on the parameters an update touches.
        lr_schedule: constant, linear or cosine decay over all epochs.
        label_smoothing: of cross-entropy.
        gbce_calibration: gBCE's t, from 0 (plain binary cross-entropy) to 1.
        exclude_hits: leave out negatives that are the lane's own target.
        steps_per_update: steps walked between updates, gradients through all of them; 1 is as published.
        scale: scores are this times the cosine of state and item row, plus a bias; 0: their plain product.
        look_back: last clicks whose rows are added to the state with learned weights before scoring; 0: none.
        repeats: last clicks whose items' scores have a number added, learned by how long ago; 0: none.
        patience: epochs without a better validation MRR@20 after which the best one is kept; None: the last.
        seed: of the weights, the samples and the dropout; same seed and data give the same bits.
        device: "auto" (a GPU where there is one) or a torch device; 100 units are faster on "cpu".
        checkpoint_dir: folder of what training needs to go on after a crash; None for no checkpoints.
        checkpoint_every: updates between two checkpoints; None for one at the end of each epoch.
        half_life: clicks in which Adagrad's sums and what samples follow fade to half; only at partial_fit.
        forget_after: days without a click after which partial_fit drops an item; None for never.
        dropout_p_own: probability that an update leaves an own row out, so that facts learn to do without.
        boost_new: log odds of items without a click beyond a level that fits, set after training; None: none.
        context: columns that tell of the moment of a click, its device say; "gap" and "hour" come from times.
        target_weights: what the loss of a click counts, by column of context and label, 1 if not given.

    Attributes:
        network_: the trained parameters.
        history_: an EpochReport for each epoch of the last fit.
        new_items_: ids that the last partial_fit or add_items added to the catalogue.
        encoding_, moments_: what columns of facts and of context became, `.told()`; None where none are.

    Source: Hidasi et al. 2016 (ICLR); Hidasi & Karatzoglou 2018 (CIKM).

    >>> from recsys_gru.contract.toy import clicks_of
    >>> model = GRU4Rec(layers=(8,), batch_size=2, n_sample=4, n_epochs=20, seed=1)
    >>> model.fit(clicks_of("abc", "abc", "dbc")).recommend_one(["a"], k=1)["item_id"].to_list()
    ['b']
    """

    def __init__(
        self,
        layers: int | Sequence[int] = (100,),
        loss: str = "cross-entropy",
        batch_size: int = 64,
        dropout_p_embed: float = 0.0,
        dropout_p_hidden: float = 0.0,
        learning_rate: float = 0.05,
        momentum: float = 0.0,
        sample_alpha: float = 0.5,
        n_sample: int = 2048,
        embedding: int | Literal["layersize"] = 0,
        constrained_embedding: bool = True,
        n_epochs: int = 10,
        bpreg: float = 1.0,
        elu_param: float = 0.5,
        logq: float = 0.0,
        cell: str = "gru",
        optimizer: str = "adagrad",
        grad_clip: float = 0.0,
        weight_decay: float = 0.0,
        lr_schedule: str = "constant",
        label_smoothing: float = 0.0,
        gbce_calibration: float = 0.75,
        exclude_hits: bool = False,
        steps_per_update: int = 1,
        scale: float = 0.0,
        look_back: int = 0,
        repeats: int = 0,
        patience: int | None = None,
        seed: int = 42,
        device: str | torch.device = "auto",
        checkpoint_dir: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        half_life: float | None = None,
        forget_after: float | None = None,
        dropout_p_own: float = 0.0,
        boost_new: float | None = None,
        context: Sequence[str] = (),
        target_weights: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        self.layers = layers
        self.loss = loss
        self.batch_size = batch_size
        self.dropout_p_embed = dropout_p_embed
        self.dropout_p_hidden = dropout_p_hidden
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.sample_alpha = sample_alpha
        self.n_sample = n_sample
        self.embedding = embedding
        self.constrained_embedding = constrained_embedding
        self.n_epochs = n_epochs
        self.bpreg = bpreg
        self.elu_param = elu_param
        self.logq = logq
        self.cell = cell
        self.optimizer = optimizer
        self.grad_clip = grad_clip
        self.weight_decay = weight_decay
        self.lr_schedule = lr_schedule
        self.label_smoothing = label_smoothing
        self.gbce_calibration = gbce_calibration
        self.exclude_hits = exclude_hits
        self.steps_per_update = steps_per_update
        self.scale = scale
        self.look_back = look_back
        self.repeats = repeats
        self.patience = patience
        self.seed = seed
        self.device = device
        self.checkpoint_dir = checkpoint_dir
        self.checkpoint_every = checkpoint_every
        self.half_life = half_life
        self.forget_after = forget_after
        self.dropout_p_own = dropout_p_own
        self.boost_new = boost_new
        self.context = context
        self.target_weights = target_weights

    def fit(
        self,
        train: SessionData,
        validation: "SessionData | None" = None,
        *,
        items: "ItemsData | None" = None,
        checkpoint_dir: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        on_epoch: OnEpoch | None = None,
        progress: bool = False,
        parallel: Parallel | None = None,
    ) -> Self:
        """Learn from a click log and forget what was learned before.

        With a checkpoint folder, a fit that was cut off goes on where the last checkpoint stands, to the same
        bits as if it had not been; where that run is complete, its model comes at once.

        Args:
            train: frame with session_id, item_id and time (Polars or pandas), a path to one, or Sessions.
            validation: a later log of the same kind, evaluated after each epoch.
            items: facts about items, item_id and any columns, as `check_items` takes them: an item's row is
                its own and its facts' rows, and items without a click are recommended from facts alone.
            checkpoint_dir, checkpoint_every: in place of the constructor's.
            on_epoch, progress: called with each epoch's EpochReport; whether to draw a bar, on terminals.
            parallel: in each of several processes, "exact", "fast" or "divided": see docs/parallel.md.

        Raises:
            ClickLogError: if the log has no event, only one item, or no session of two events.
            ParameterError, DivergedError, CheckpointError: as their names say.
        """
        loop = self._loop(on_epoch, progress).but_with(checkpoint_dir, checkpoint_every, parallel)
        told = loop.settings.context
        sessions = trainable(train, context=told)
        sessions, known = (sessions, None) if items is None else with_items(sessions, items)
        held_out = None if validation is None else as_sessions(validation, sessions.vocabulary, context=told)
        return self._fitted(sessions, held_out, loop, known)

    def partial_fit(
        self,
        newer: SessionData,
        *,
        since: datetime | None = None,
        n_epochs: int | None = None,
        keep_vanished: bool = True,
        on_epoch: OnEpoch | None = None,
        progress: bool = False,
    ) -> Self:
        """Go on learning from newer clicks; on an unfitted model the same as `fit`.

        A new item (`new_items_`) gets the mean row and memory of the old ones clicked beside it, or of all.

        Args:
            newer: later clicks, as `fit` takes them.
            since: a moment (UTC where it names no zone): clicks before it are context, each from it on is
                learned once, whatever the pieces that a log comes in; a piece without any is no error.
            n_epochs: walks through the newer sessions, in place of the constructor's.
            keep_vanished: whether items without a newer click stay in the catalogue.
            on_epoch, progress: as `fit` takes them.

        Raises:
            ParameterError: if a hyper-parameter is impossible, or the network not the one fitted.
            ClickLogError: if there is nothing to learn (without `since`), or it was learned before (with it).
            DivergedError: if the loss becomes NaN or infinite.
        """
        own = {} if n_epochs is None else {"n_epochs": whole_number("n_epochs", n_epochs)}
        loop = self._loop(on_epoch, progress, **own)
        if "vocabulary_" not in vars(self):
            return self._fitted(trainable(newer, context=loop.settings.context), None, loop)
        sessions = newer_clicks(newer, self.vocabulary_, since, self.span_, context=self.context_names)
        self.new_items_, self.history_ = self.vocabulary_.ids.clear(), ()
        if sessions.counted.any():
            self._go_on(sessions, loop, flag("keep_vanished", keep_vanished))
        return self

    def _fitted(
        self, sessions: Sessions, held_out: Sessions | None, loop: Loop, known: Known | None = None
    ) -> Self:
        with fitting(self, sessions, held_out):
            self._fit(sessions, held_out, loop, known)
        return self

    def fit_part(self, older: Sessions) -> None:
        """Learn the older part of a log in half of the epochs, to be judged on the newer part."""
        self._fitted(older, None, self._loop(n_epochs=self.settings().halves[0]).alone())

    def fit_rest(self, sessions: Sessions) -> None:
        """Learn the whole log, of which `fit_part` has learned a part, in the other half of the epochs."""
        loop = self._loop(n_epochs=self.settings().halves[1]).alone()
        with fitting(self, sessions), self.network_.copies.changing():
            renumber(self.vocabulary_, sessions, self.network_, self.slots_)
            going_on = GoingOn(self.network_, self.slots_, clicks_are_new=False)
            self._fit(sessions, None, loop, going_on=going_on)

    def settings(self, **own: Any) -> Settings:  # noqa: ANN401 - values of Settings
        """Return the hyper-parameters of training as plain values, checked; raises ParameterError."""
        return Settings.of(self.parameters() | own)

    @classmethod
    def search_space(cls) -> SearchSpace:
        """Source: the published search spaces of Hidasi & Czapp 2023."""
        return dict(SEARCH_SPACE)

    def check_parameters(self) -> None:
        self._loop()

    def _require_possible(self) -> None:
        self._loop_of(self.settings())  # but the device: what was learned on one answers on any

    def _loop(self, on_epoch: OnEpoch | None = None, progress: bool = False, **own: object) -> Loop:
        plain = self._plain()
        resolve_device(str(plain.device))
        return replace(plain._loop_of(plain.settings(**own)), on_epoch=on_epoch, progress=progress)

    def _loop_of(self, settings: Settings) -> Loop:
        forgetting = Forgetting(self.half_life, self.forget_after)
        return Loop(settings, self.patience, self.checkpoint_dir, self.checkpoint_every, forgetting)

    def _fit(
        self,
        sessions: Sessions,
        validation: Sessions | None,
        loop: Loop | None = None,
        known: Known | None = None,
        going_on: GoingOn | None = None,
    ) -> None:
        loop, support = loop or self._loop(), sessions.vocabulary.support
        lanes, device = max(1, lanes_needed(sessions, loop.settings)), resolve_device(str(self.device))
        self.moments_ = moments_in(sessions, loop.settings.context)
        count = 0 if self.moments_ is None else self.moments_.n_labels
        learner = loop.learner(support, lanes, device, going_on, known and known.for_network, count)
        self._remember(sessions)
        self._take_in(learner)
        self.encoding_ = known and known.encoding
        self.recency_ = Recency.of(sessions, loop.forgetting.half_life).begun(support == 0)
        self.history_ = self._train(loop, learner, sessions, validation)
        self._foretell_new(loop.settings, sessions)
