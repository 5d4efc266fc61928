"""Every word of the five systems people come from has its row, and what a row calls available can be typed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.test_docs import problem_with, targets

PAGE = Path(__file__).parent.parent / "docs" / "coming-from.md"
PLANNED = "not in this version; planned"

# What each system named, in its own words. A row's first cell must hold every word of a line (parts joined by " & ").
WORDS: dict[str, tuple[str, ...]] = {
    "CloudFinSecure": (
        "cloudfinsecure.py & Streamlit dashboard",
        "streamlit run",
        "requirements.txt",
        "lambda_function.py",
        "sample_transactions.csv",
        "transaction_id",
        "employee_id",
        "amount",
        "location",
        "description",
        "timestamp",
        "S3 & CSV & Lambda & ETL & risk engine",
        "DynamoDB & transactions_cloudfinsecure",
        "high amount",
        "outlier location",
        "weekend & late night",
        "suspicious descriptions & gift & gaming",
        "risk levels",
        "SNS & e-mail & HIGH & amount > 10,000 INR",
        "filter & risk level & location",
        "download",
        "AWS_ACCESS_KEY_ID & AWS_SECRET_ACCESS_KEY & AWS_DEFAULT_REGION & Streamlit Cloud secrets",
        "DYNAMO_TABLE",
    ),
    "Financial fraud prevention": (
        "transaction-stream & on demand",
        "1 day retention",
        "fraud-detection-processor",
        "lambda_function.lambda_handler & zip",
        "bucket & JSON results & flagged transactions",
        "over $10,000",
        "more than 3 within a minute per account",
        "destination country different from origin",
        "low balance & high value",
        "console test events",
        "machine learning",
        "longer retention",
        "future & SNS",
    ),
    "Credit card system": (
        "desktop application & simulates & initiates",
        "local CSV",
        "upload to S3",
        "CloudTrail & EventBridge rule & Lambda",
        ".csv & CSV to JSON",
        "Kinesis",
        "container image & ECR",
        "preprocessing script & trained classifier & S3",
        "exactly the training preprocessing",
        "prediction",
        "CloudWatch logs & steps & errors",
        "predictions in DynamoDB",
        "SNS e-mail on fraud",
        "SQS dead-letter queue & inspection & retry",
        "Glacier & 180 days & deletion",
        "IAM least privilege & authorised rules",
    ),
    "fraudmini": (
        "RawEvents & inbox/",
        "RawEventsQueue",
        "BatchIngest",
        "TransactionsQueue",
        "ScoreFunction",
        "table Transactions",
        "table Decisions",
        "table Rules",
        "AlertsTopic",
        "RefinedEvents & processed/ & failed/",
        "receipts",
        "deletes the processed original",
        "KMS & AppDataKey",
        "deny insecure transport & unencrypted PUT",
        "queue policy & bucket & account",
        "sam build & sam deploy --guided",
        "RawEventsBucketName & ApiUrl",
        "scripts/upload_csv.py",
        "GitHub Actions & OIDC & main",
        "CloudWatch alarms",
    ),
    "Real-time fraud detection": (
        "Glue job",
        "transaction_stream & Kafka & MSK",
        "lambda_function.lamda_handler",
        "is_fraudulent",
        "send_fraud_alert",
        "Redis & ElastiCache & recent locations",
        "transaction_history",
        "flagged_transactions",
        "SNS & e-mail & SMS",
        "SNS_TOPIC_ARN",
        "ELASTICACHE_REDIS_ENDPOINT",
        "CloudWatch metrics and alarms",
        "local test with a Redis server",
        "SageMaker",
        "auto-scaling & DynamoDB & ElastiCache",
        "behaviour rules",
    ),
}


def rows() -> dict[str, list[list[str]]]:
    """The rows of each system's table, as cells."""
    found: dict[str, list[list[str]]] = {}
    for section in PAGE.read_text("utf-8").split("\n## ")[1:]:
        system = section.partition(" (")[0]
        lines = [line for line in section.splitlines() if line.startswith("| ")][2:]
        found[system] = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]
    return found


ROWS = rows()
FLAT = [(system, row) for system, table in ROWS.items() for row in table]


def test_the_page_speaks_of_these_systems() -> None:
    assert list(ROWS) == list(WORDS)


@pytest.mark.parametrize(("system", "line"), [(system, line) for system, lines in WORDS.items() for line in lines])
def test_every_word_has_a_row(system: str, line: str) -> None:
    words = line.split(" & ")
    assert any(all(word in row[0] for word in words) for row in ROWS[system]), f"{system}: no row for {line}"


@pytest.mark.parametrize(("system", "row"), FLAT, ids=[f"{s}: {r[0][:40]}" for s, r in FLAT])
def test_every_row_says_what_is_true(system: str, row: list[str]) -> None:
    assert len(row) == 4, f"{system}: {row}"
    _, here, status, seen = row
    assert len(here) > 20
    if status == "planned":
        assert seen == PLANNED
        return
    assert status == "available"
    command = re.fullmatch(r"`(.+)`", seen)
    assert command is not None, f"{row[0]}: an available thing names its command"
    if command[1].startswith("make "):
        assert command[1].split()[1] in targets()
    else:
        assert problem_with(command[1]) is None, problem_with(command[1])
