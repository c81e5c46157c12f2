"""What pyproject.toml cannot say: the folder pipelines/ is installed as recsys_gru.pipelines."""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["recsys_gru*"]),
        *(f"recsys_gru.{name}" for name in find_packages(include=["pipelines*"])),
    ],
    package_dir={"recsys_gru.pipelines": "pipelines"},
)
