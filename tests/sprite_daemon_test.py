#!/usr/bin/env python3
"""Pictures from the daemon, end to end: an original client's whole day, `sparky generate` as a job, batches and tile
sets, a worker and its model killed under a job, workers that the daemon starts and ends by itself.

    tests/sprite_daemon_test.py SPARKY
"""
import json
import os
import signal
import struct
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "support"))
sys.path.insert(0, str(Path(__file__).parent / "compat"))
from daemon import Daemon, tiny_model, until  # noqa: E402
import original_day  # noqa: E402

SPARKY = "build/release/bin/sparky"


def png_size(path):
    head = Path(path).read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n", path
    return struct.unpack(">II", head[16:24])


class SpriteDaemon(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="sparky-model-")
        models = tiny_model(SPARKY, cls.folder.name)
        cls.daemon = Daemon(SPARKY, environment={"SPARKY_MODELS": str(models)})
        cls.daemon.start()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.__exit__()
        cls.folder.cleanup()

    def setUp(self):
        self.client = self.daemon.client()

    def tearDown(self):
        self.client.close()

    def worker(self):
        return [w for w in self.client.ask("list_workers")["workers"] if w["name"] == "local-sprite"]

    def sprite_processes(self):
        return self.daemon.processes(r"sparky-sprite serve")

    def test_an_original_clients_whole_day(self):
        original_day.day(self.daemon.address("requests"), self.daemon.address("updates"), "sprite-32")
        self.assertEqual(len(self.worker()), 1, "the daemon started one worker by itself")

    def test_generate_goes_through_the_daemon(self):
        told = json.loads(self.daemon.run("--json", "generate", "a red dragon", "--seed", 7, "--steps", 2, "-o",
                                          "dragon.png"))
        self.assertIn("job", told)
        self.assertEqual(told["pictures"], [{"path": "dragon.png", "seed": 7}])
        self.assertEqual(png_size(self.daemon.project / "dragon.png"), (32, 32))
        story = self.daemon.run("image", "info", "dragon.png")
        self.assertIn("a red dragon", story)

    def test_a_detached_job_is_done_all_the_same(self):
        job = self.daemon.run("generate", "a wall", "--steps", 2, "--count", 2, "--detach").strip()
        result = self.client.wait(job, timeout_s=60)
        self.assertEqual(len(result.metadata["image_paths"]), 2)
        for path in result.metadata["image_paths"]:
            self.assertTrue(path.startswith(str(self.daemon.project / "outputs")), path)
            self.assertEqual(png_size(path), (32, 32))

    def test_batches_and_tile_sets_are_honoured_and_animations_refused(self):
        batch = self.client.generate("a potion", steps=2, batch_size=3)
        tiles = self.client.generate("a stone wall", steps=2, tileset_grid=[3, 2], size=[64, 64])
        self.assertEqual(len(self.client.wait(batch.job_id, timeout_s=60).metadata["image_paths"]), 3)
        paths = self.client.wait(tiles.job_id, timeout_s=60).metadata["image_paths"]
        self.assertEqual(len(paths), 1 + 3 * 2)
        self.assertEqual(png_size(paths[0]), (3 * 64, 2 * 64), "the first is the sheet of them all")
        for wrong, field in (({"animation_frames": 4}, "animation_frames"), ({"size": [32, 64]}, "size"),
                             ({"size": [33, 33]}, "size"), ({"tileset_grid": [64, 64]}, "tileset_grid"),
                             ({"lora": "nobody"}, "nobody")):
            with self.assertRaisesRegex(Exception, field):
                self.client.generate("x", **wrong)

    def test_the_same_job_draws_the_same_picture(self):
        job = self.client.generate("an orc", steps=2, id="orc-1").job_id
        first = Path(self.client.wait(job, timeout_s=60).image_path).read_bytes()
        self.client.ask("clear_jobs", ids=[job])
        again = self.client.generate("an orc", steps=2, id="orc-1").job_id
        self.assertEqual(Path(self.client.wait(again, timeout_s=60).image_path).read_bytes(), first)

    def test_a_killed_model_or_worker_does_not_lose_the_job(self):
        job = self.client.generate("a slow potion", steps=30, batch_size=4).job_id
        until(lambda: self.client.job(job).status == "running" and self.sprite_processes(), "the job runs")
        os.kill(self.sprite_processes()[0], signal.SIGKILL)
        until(self.sprite_processes, "the worker has started another sparky-sprite")
        os.kill(self.daemon.processes(r"sparky worker .*local-sprite")[0], signal.SIGKILL)
        self.client.wait(job, timeout_s=120)
        self.assertEqual(self.client.ask("show_job", id=job)["job"]["state"], "completed")

    def test_a_cancelled_job_stops_at_once(self):
        job = self.client.generate("a very slow one", steps=200, batch_size=200).job_id
        until(lambda: self.client.job(job).status == "running", "the job runs")
        self.client.cancel(job)
        self.assertEqual(self.client.job(job).status, "cancelled")
        until(lambda: not self.worker()[0]["jobs"], "the worker is free again", 10)
        self.client.wait(self.client.generate("next", steps=1).job_id, timeout_s=60)

    def train(self, out, *words):
        return self.daemon.run("train", "--detach", "--dataset", Path(self.folder.name) / "data", "-o", out, "--batch", 1,
                               *words).strip()

    def ended(self, job):
        until(lambda: self.client.ask("show_job", id=job)["job"]["state"] not in ("queued", "running"), "it ends", 300)
        return self.client.ask("show_job", id=job)["job"]

    def test_a_lora_is_trained_as_a_job(self):
        job = self.ended(self.train("style", "--lora", "--steps", 2))
        self.assertEqual(job["state"], "completed", job)
        self.assertEqual(job["result"]["lora"], str(self.daemon.project / "style/lora.safetensors"))
        self.assertTrue((self.daemon.project / "style/lora.safetensors").exists())
        self.assertEqual(Path(job["result"]["image_paths"][0]).read_bytes(),
                         (self.daemon.project / "style/sheet.png").read_bytes(), "a picture of it is the job's result")

    def test_a_training_whose_worker_is_killed_goes_on_from_its_checkpoint(self):
        job = self.train("network", "--steps", 40, "--channels", "16,32,32", "--checkpoint-minutes", 0.001)
        until((self.daemon.project / "network/train.safetensors").exists, "there is a checkpoint", 60)
        for process in self.daemon.processes(r"sparky worker .*local-train"):
            os.kill(process, signal.SIGKILL)
        until(lambda: len(self.daemon.processes(r"sparky-sprite train")) <= 1, "the old one has ended", 20)
        done = self.ended(job)
        self.assertEqual((done["state"], done["result"]["step"]), ("completed", 40), done)

    def test_a_cancelled_training_leaves_a_checkpoint_that_another_job_goes_on_from(self):
        job = self.train("cancelled", "--minutes", 30, "--channels", "16,32,32")
        until(lambda: (self.daemon.project / "cancelled/loss.csv").exists(), "it trains", 60)
        self.client.cancel(job)
        self.assertEqual(self.client.job(job).status, "cancelled")
        until((self.daemon.project / "cancelled/train.safetensors").exists, "it leaves a checkpoint", 60)
        until(lambda: not self.daemon.processes(r"sparky-sprite train"), "it has ended", 60)
        other = self.train("cancelled", "--steps", 1)
        self.assertEqual(self.ended(other)["state"], "failed", "it is not overwritten")
        self.client.ask("retry_job", id=other)
        self.assertEqual(self.ended(other)["state"], "failed", "nor by another try")
        again = self.ended(self.train("cancelled", "--resume", "--steps", 20))
        self.assertEqual(again["state"], "completed", again)


class IdleWorker(unittest.TestCase):
    def test_a_worker_with_nothing_to_do_is_ended(self):
        with Daemon(SPARKY, settings='[serve]\nworker_idle = "1s"\n') as daemon, daemon.client() as client:
            (daemon.project / "in.png").write_bytes(next(Path("src/studio/fixtures/mon").glob("*.png")).read_bytes())
            job = client.ask("submit_job", kind="validate", request={"inputs": ["in.png"], "profile": "bevy"})["job_id"]
            until(lambda: client.ask("show_job", id=job)["job"]["state"] in ("completed", "failed"), "the job has ended")
            self.assertEqual(len(client.ask("list_workers")["workers"]), 1)
            until(lambda: not client.ask("list_workers")["workers"], "the worker has ended", 20)
            self.assertEqual(daemon.processes(r"sparky worker"), [])


if __name__ == "__main__":
    SPARKY = str(Path(sys.argv.pop(1) if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else SPARKY).resolve())
    os.chdir(Path(__file__).resolve().parents[1])
    unittest.main(verbosity=2)
