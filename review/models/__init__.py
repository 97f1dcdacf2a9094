"""The nouns of review: one module a noun, all of them here by name."""

from review.models.batch import Batch
from review.models.bulk import BulkAction, BulkChange
from review.models.claim import Claim, Draft, Skip
from review.models.comment import Comment
from review.models.decision import Decision, Role, Verdict, Withdrawal
from review.models.flag import Flag, is_flagged_by
from review.models.gold import Gold, GoldAnswer, Pause
from review.models.inspection import Draw, Inspected, Inspection
from review.models.label import Guideline, Label
from review.models.likeness import NearDuplicate, SignatureBand, SignatureRun
from review.models.move import ALLOWED, Cause, Move
from review.models.origin import Origin
from review.models.original import Duplicate, Original
from review.models.proof import Proof
from review.models.record import Record, State
from review.models.reflagging import Reflagging
from review.models.revision import NO_METADATA, Revision
from review.models.rights import NO_COPYRIGHT_STATED, Evidence, Licence, Rights
from review.models.score import Score
from review.models.seal import Erased, Intake, Seal, Unsealed
from review.models.searchtext import SearchRun, SearchShelf, SearchText
from review.models.source import AnswerFrom, Category, Method, Source
from review.models.takedown import Retraction, Takedown, TakedownMatch, TakedownStep
from review.models.unread import Unread
from review.models.user import RoleGiven, Scope, SourceGiven, Token, User

__all__ = [
    "ALLOWED",
    "NO_COPYRIGHT_STATED",
    "NO_METADATA",
    "AnswerFrom",
    "Batch",
    "BulkAction",
    "BulkChange",
    "Category",
    "Cause",
    "Claim",
    "Comment",
    "Decision",
    "Draft",
    "Draw",
    "Duplicate",
    "Erased",
    "Evidence",
    "Flag",
    "Gold",
    "GoldAnswer",
    "Guideline",
    "Inspected",
    "Inspection",
    "Intake",
    "Label",
    "Licence",
    "Method",
    "Move",
    "NearDuplicate",
    "Origin",
    "Original",
    "Pause",
    "Proof",
    "Record",
    "Reflagging",
    "Retraction",
    "Revision",
    "Rights",
    "Role",
    "RoleGiven",
    "Scope",
    "Score",
    "Seal",
    "SearchRun",
    "SearchShelf",
    "SearchText",
    "SignatureBand",
    "SignatureRun",
    "Skip",
    "Source",
    "SourceGiven",
    "State",
    "Takedown",
    "TakedownMatch",
    "TakedownStep",
    "Token",
    "Unread",
    "Unsealed",
    "User",
    "Verdict",
    "Withdrawal",
    "is_flagged_by",
]
