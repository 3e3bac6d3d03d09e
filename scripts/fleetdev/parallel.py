"""Two things at the same time, for machines with two cores."""

import concurrent.futures


def run(*functions, workers=None):
    """Run functions at the same time; return their results, or raise the first failure after all ended."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=workers or len(functions)) as pool:
        futures = [pool.submit(function) for function in functions]
    return [future.result() for future in futures]
