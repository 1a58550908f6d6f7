class EngineArgs:
    model: str
    max_model_len: int
    gpu_memory_utilization: float
    tensor_parallel_size: int
