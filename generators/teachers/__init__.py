"""Teachers: samplers that write questions and chains."""
