import os

from celery import Celery

celery = Celery("shop", broker=os.environ["CELERY_BROKER_URL"])
