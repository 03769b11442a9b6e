"""Client for a Sparky daemon (`sparky serve`).

    from sparky_client import Client

    with Client() as sparky:
        job = sparky.generate("a red dragon")
        print(sparky.wait(job.job_id).image_path)
"""
from .aio import AsyncClient
from .client import Client
from .messages import (Event, JobAccepted, JobFailed, JobResult, JobState, Keys, Model, Progress, SparkyError,
                       StatusInfo, Unreachable)

__all__ = ["AsyncClient", "Client", "Event", "JobAccepted", "JobFailed", "JobResult", "JobState", "Keys", "Model",
           "Progress", "SparkyError", "StatusInfo", "Unreachable"]
__version__ = "0.1.0"
