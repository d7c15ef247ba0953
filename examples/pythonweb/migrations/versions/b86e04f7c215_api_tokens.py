"""api tokens

Only adds a column that may be NULL: the release before goes on working on this schema.

Revision ID: b86e04f7c215
Revises: 3f1c9a52d7e4
Create Date: 2026-11-22 16:48:03
"""

import sqlalchemy as sa
from alembic import op

revision = "b86e04f7c215"
down_revision = "3f1c9a52d7e4"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("users") as batch:
        batch.add_column(sa.Column("api_token_hash", sa.String(length=64), nullable=True))
        batch.create_unique_constraint(batch.f("uq_users_api_token_hash"), ["api_token_hash"])


def downgrade():
    with op.batch_alter_table("users") as batch:
        batch.drop_constraint(batch.f("uq_users_api_token_hash"), type_="unique")
        batch.drop_column("api_token_hash")
