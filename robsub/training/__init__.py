"""Training: the joint data set, the schedule, checkpoints, the processes of a distributed run."""
